//! stub
mod sandbox;
mod tools;
