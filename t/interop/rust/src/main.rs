//! The snippet of docs/relying-parties.md: akl-k8s-interop ISSUER AUDIENCE

use std::io::BufRead;

use jsonwebtoken::jwk::JwkSet;
use serde_json::json;

mod verify;

/// The version of a package in the lock file that this was built by.
fn locked(name: &str) -> &'static str {
    include_str!("../Cargo.lock")
        .split("[[package]]")
        .find(|part| part.contains(&format!("\nname = \"{name}\"\n")))
        .and_then(|part| part.split("version = \"").nth(1)?.split('"').next())
        .unwrap_or("?")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let (issuer, audience) = (&args[1], &args[2]);

    println!("{}", json!({"client":
        format!("Rust jsonwebtoken {}", locked("jsonwebtoken"))}));

    let keys: JwkSet = ureq::get(format!("{issuer}/.well-known/jwks.json"))
        .call()?.body_mut().read_json()?;

    for token in std::io::stdin().lock().lines() {
        println!("{}", match verify::verify(&token?, &keys, issuer, audience) {
            Ok(claims) => json!({"claims": claims}),
            Err(e) => json!({"error": e.to_string()}),
        });
    }

    Ok(())
}
