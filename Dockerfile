# The binary, and what its sandbox and its checks need around it. Add the toolchains of the repositories that your
# loops work on: what is not in the image is not in the sandbox.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release -p orchestrator --bin loops

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap ca-certificates git nodejs python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 loops \
    && install -d -o loops -g loops /work /state
COPY --from=build /src/target/release/loops /usr/local/bin/loops
# An ordinary user: the sandbox is made of user namespaces and wants no rights of the container's.
USER loops
ENV XDG_STATE_HOME=/state
WORKDIR /work
ENTRYPOINT ["loops"]
