//! The relay, an agent and one question, end to end over real sockets: `cargo run --example demo`.

use std::error::Error;
use std::time::Duration;

use crossbeam_channel::bounded;
use home_alice_relay::{Config, Relay, RelayAddress, Shutdown, ask, healthcheck};

#[path = "agent.rs"]
mod agent;

fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::read(|name| (name == "LISTEN_ADDR").then(|| "127.0.0.1:0".into()))?;
    let (shutdown, _ended) = Shutdown::new();
    let relay = Relay::start(&config, &shutdown)?;
    let address = relay.address();
    println!("1. The relay listens on {address}, with a key made for this run.");

    let target = RelayAddress::of_url(&format!("http://{address}"))?;
    healthcheck(target)?;
    println!("2. GET /health answers.");

    let question = "системная информация";
    println!("3. Nobody is connected yet. Alice is asked: «{question}»");
    println!("   Alice says: «{}»", ask(target, &config.credentials, question)?.text);

    let (connected, is_connected) = bounded(1);
    let key = config.credentials.keys.all()[0].clone();
    let agent = std::thread::spawn(move || {
        let url = format!("ws://{address}/ws");
        let result = agent::serve(&url, key.reveal(), || {
            let _ = connected.send(());
        });
        result.map_err(|error| error.to_string())
    });
    is_connected.recv_timeout(Duration::from_secs(5))?;
    println!("4. The agent (examples/agent.rs) is connected to ws://{address}/ws.");

    println!("5. Alice is asked again: «{question}»");
    let begun = std::time::Instant::now();
    let said = ask(target, &config.credentials, question)?;
    println!("   Alice says: «{}»", said.text);
    println!("   It took {:.1} ms there and back.", begun.elapsed().as_secs_f64() * 1000.0);
    if !said.by_agent() {
        return Err(format!("the agent did not answer: {:?}", said.outcome).into());
    }

    relay.stop();
    agent.join().map_err(|_| "the agent failed")??;
    println!("6. The relay has said goodbye to its agent and stopped.");
    println!();
    println!(
        "Next: `cargo run --release` starts the relay itself and prints what an agent needs to know;"
    );
    println!("`RELAY_URL=… API_KEY=… cargo run --release --example agent` is an agent for it; and");
    println!("`cargo run --release -- ask --url http://127.0.0.1:8080 громче` asks it as Alice would.");
    println!("DEPLOYMENT.md puts it on a server, from nothing to a spoken answer.");
    Ok(())
}
