"""What other ways make of the labelled messages that the tests hold ours to: the best pairwise F1 of each over many
thresholds, chosen on the very set, which favours them. Over what is said again in one language, and over all messages."""

import json
import os

import clustering_peers as peers
import minilm
import numpy

SETS = os.path.join(os.path.dirname(__file__), "../../loops/src/cluster/tests")
FAR = ("loose", "other_language")


def ways(texts):
    yield "TF-IDF", lambda t: peers.tfidf(texts, t), [n / 20 for n in range(4, 19)]
    yield "MinHash-LSH", lambda t: peers.minhash(texts, t, {}), [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    yield "rapidfuzz", lambda t: peers.ratio(texts, t), range(50, 96, 5)
    if minilm.package():
        vectors = minilm.MiniLM().embed(texts)
        alike = vectors @ vectors.T

        def near(threshold):
            rows, columns = numpy.nonzero(alike >= threshold)
            return peers.components(len(texts), [rows], [columns])

        yield "all-MiniLM-L6-v2", near, [n / 100 for n in range(60, 98, 2)]


def main():
    for name in ("feedback-500", "feedback-held"):
        with open(f"{SETS}/{name}.jsonl", encoding="utf-8") as lines:
            messages = [json.loads(line) for line in lines]
        for over in ("said again, in one language", "all"):
            kept = [one for one in messages if over == "all" or one["kind"] not in FAR]
            texts = [one["text"].lower() for one in kept]
            labels = [one["problem"] if over == "all" else one["lang"] + one["problem"] for one in kept]
            for way, run, thresholds in ways(texts):
                best, at = max((peers.f1_of(labels, run(t)), t) for t in thresholds)
                print(f"{name}, {over}: {way} F1 {best:.3f} (threshold {at})", flush=True)


if __name__ == "__main__":
    main()
