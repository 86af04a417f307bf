"""What other ways of finding near-duplicates make of the same texts: called by `bench-clustering --peers`.

Reads lines of `{"text": …, "label": …}` from the file that is named first, and writes one JSON line a peer to standard
output: its best pairwise F1 over a range of thresholds, and the seconds of the processor
that it took at that threshold, all in.
"""

import json
import sys
import time
import zlib
from collections import Counter

import numpy
from datasketch import MinHash, MinHashLSH
from rapidfuzz import fuzz, process
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

import minilm


def pairs(counts):
    return sum(n * (n - 1) // 2 for n in counts)


def f1_of(labels, groups):
    right = pairs(Counter(zip(labels, groups)).values())
    found, true = pairs(Counter(groups).values()), pairs(Counter(labels).values())
    return 2 * right / max(found + true, 1)


class Union:
    def __init__(self, count):
        self.above = list(range(count))

    def top(self, n):
        while self.above[n] != n:
            self.above[n] = self.above[self.above[n]]
            n = self.above[n]
        return n

    def join(self, a, b):
        self.above[self.top(a)] = self.top(b)

    def groups(self):
        return [self.top(n) for n in range(len(self.above))]


def minhash(texts, threshold, hashing):
    """Runs of three characters, 128 permutations, banded for the threshold."""
    shingles = [[text[n : n + 3].encode() for n in range(max(len(text) - 2, 1))] for text in texts]
    sketches = MinHash.bulk(shingles, num_perm=128, **hashing)
    index = MinHashLSH(threshold=threshold, num_perm=128)
    union = Union(len(texts))
    for n, sketch in enumerate(sketches):
        for other in index.query(sketch):
            union.join(n, other)
        index.insert(n, sketch)
    return union.groups()


def tfidf(texts, threshold):
    """Runs of three to five characters within words, weighted by rarity; all pairs by cosine."""
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).fit_transform(texts)
    rows, columns = [], []
    for start in range(0, len(texts), 500):
        near = (vectors[start : start + 500] @ vectors.T).tocoo()
        kept = near.data >= threshold
        rows.append(near.row[kept] + start)
        columns.append(near.col[kept])
    return components(len(texts), rows, columns)


def embeddings(texts, threshold):
    """Sentence embeddings; all pairs by cosine."""
    vectors = minilm.MiniLM().embed(texts)
    rows, columns = [], []
    for start in range(0, len(texts), 500):
        row, column = numpy.nonzero(vectors[start : start + 500] @ vectors.T >= threshold)
        rows.append(row + start)
        columns.append(column)
    return components(len(texts), rows, columns)


def ratio(texts, threshold):
    """Edit distance between all pairs, in one thread."""
    rows, columns = [], []
    for start in range(0, len(texts), 500):
        near = process.cdist(
            texts[start : start + 500], texts, scorer=fuzz.ratio, score_cutoff=threshold, dtype=numpy.uint8
        )
        row, column = numpy.nonzero(near)
        rows.append(row + start)
        columns.append(column)
    return components(len(texts), rows, columns)


def components(count, rows, columns):
    rows, columns = numpy.concatenate(rows), numpy.concatenate(columns)
    graph = coo_matrix((numpy.ones(len(rows), dtype=bool), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1].tolist()


def crc(data):
    return zlib.crc32(data) & 0xFFFFFFFF


def main():
    lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    wanted = sys.argv[2:]
    texts, labels = [line["text"].lower() for line in lines], [line["label"] for line in lines]
    peers = {
        "minhash": ("datasketch MinHash-LSH 128", lambda t: minhash(texts, t, {}), [0.5, 0.6, 0.7, 0.8]),
        "minhash-crc": (
            "datasketch MinHash-LSH 128, CRC-32 for SHA-1",
            lambda t: minhash(texts, t, {"hashfunc": crc}),
            [0.5, 0.6, 0.7, 0.8],
        ),
        "tfidf": ("TF-IDF of 3 to 5 characters, all pairs", lambda t: tfidf(texts, t), [0.6, 0.7, 0.8]),
        "rapidfuzz": ("rapidfuzz ratio, all pairs", lambda t: ratio(texts, t), [75, 80, 85, 90]),
    }
    if minilm.package():
        peers["minilm"] = ("all-MiniLM-L6-v2 sentence embeddings, all pairs", lambda t: embeddings(texts, t), [0.7, 0.8, 0.9])
    for key, (name, run, thresholds) in peers.items():
        if wanted and key not in wanted:
            continue
        best = None
        for threshold in thresholds:
            started = time.process_time()
            groups = run(threshold)
            seconds = time.process_time() - started
            found = {"peer": name, "f1": f1_of(labels, groups), "seconds": seconds, "threshold": threshold}
            if best is None or found["f1"] > best["f1"]:
                best = found
        print(json.dumps(best), flush=True)


if __name__ == "__main__":
    main()
