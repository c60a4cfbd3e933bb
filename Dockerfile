# The relay's image: one static binary and a user to run it as.
#
# The default builder is Alpine's, whose own libc links statically; images from Rust 1.92 on bring
# all that linking needs. Any other image with a Rust toolchain serves as well, on any processor.
ARG RUST_IMAGE=rust:1.95.0-alpine
FROM ${RUST_IMAGE} AS builder
# So that `docker image prune` can be told to take what a build leaves behind.
LABEL org.opencontainers.image.title="home-alice-relay"
WORKDIR /build
# Without an explicit --target (below) these flags would reach the proc-macro crates too, which can't
# be static.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies, in a layer that a change of the relay's own source leaves alone.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches tests \
    && echo '//! Nothing yet.' > src/lib.rs \
    && printf '//! Nothing yet.\nfn main() {}\n' | tee src/main.rs tests/main.rs > benches/roundtrip.rs \
    && cargo build --release --locked --target "$(rustc -vV | sed -n 's/^host: //p')"

# Cargo rebuilds what is newer than the last build, and COPY keeps the older times of the checkout.
COPY src src
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --target "$(rustc -vV | sed -n 's/^host: //p')" \
    && cp target/*/release/home-alice-relay / \
    && echo 'relay:x:10001:10001:Home Alice Relay:/:/home-alice-relay' > /passwd

FROM scratch
LABEL org.opencontainers.image.title="home-alice-relay" \
      org.opencontainers.image.description="Carries a voice command from Yandex Alice to your own PC, and the PC's answer back" \
      org.opencontainers.image.licenses="MIT"
# What the licences in the binary ask to go with it.
COPY LICENSE THIRD-PARTY-NOTICES /
COPY --from=builder /passwd /etc/passwd
COPY --from=builder /home-alice-relay /home-alice-relay
USER relay
# The second tells any program that this is a container; the relay then warns of an address that only the
# container reaches.
ENV LISTEN_ADDR=:8080 container=docker
EXPOSE 8080
# There is no shell here: the program checks itself.
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/home-alice-relay", "healthcheck"]
ENTRYPOINT ["/home-alice-relay"]
