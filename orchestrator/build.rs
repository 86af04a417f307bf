//! A new migration does not otherwise rebuild the crate that embeds it.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
