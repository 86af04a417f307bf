//! stub
mod prove;
mod sandbox;
mod tools;
