//! stub
mod sandbox;
