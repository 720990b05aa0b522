"""The Keras network behind ml.models.lstm: built, trained and asked here; the only file that imports TensorFlow."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Its other kernels round differently from host to host, so a seed would not repeat; they also announce themselves.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import tensorflow as tf

from ml.models.base import Floats
from ml.models.columns import Matrix
from ml.models.network_file import check_network

BATCH = 256
ASKED_AT_ONCE = 8192
LEARNING_RATE = 2e-3
# Share of the static inputs left out at random, and how hard large weights are held down: machines are few.
DROPOUT, DECAY = 0.3, 1e-4
MOST_THREADS = 4


# Every fit is a graph of its own; TensorFlow takes that for a mistake and says so at length.
tf.get_logger().setLevel("ERROR")


def prepare(seed: int) -> None:
    """Seeds that repeat, and threads that leave the host to others."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(min(MOST_THREADS, os.cpu_count() or 1))
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow runs already: its threads stay as they are
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def build(steps: int, channels: int, statics: int, rates: Floats, units: int, dense: int) -> keras.Model:
    """Logits [n, K, 1 + M] of surviving the interval or failing by each mode; it starts from the base rates."""
    blocks, static = keras.Input((steps, channels)), keras.Input((statics,))
    wide = keras.layers.Dropout(DROPOUT)(static)
    wide = keras.layers.Dense(dense, "relu", kernel_regularizer=keras.regularizers.L2(DECAY))(wide)
    seen = keras.layers.Concatenate()([keras.layers.LSTM(units)(blocks), wide])
    hidden = keras.layers.Dense(dense, "relu")(keras.layers.Dropout(DROPOUT)(seen))
    bias = keras.initializers.Constant(np.log(rates).ravel().tolist())
    logits = keras.layers.Dense(rates.size, bias_initializer=bias)(hidden)
    return keras.Model([blocks, static], keras.layers.Reshape(rates.shape)(logits))


def likelihood(weights: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """-sum over intervals and classes of weight x log p; unseen intervals weigh nothing."""
    return -tf.reduce_sum(weights * tf.nn.log_softmax(logits), axis=[1, 2])


def train(
    network: keras.Model,
    inputs: tuple[Matrix, Matrix],
    weights: Matrix,
    held_out: Matrix,
    epochs: int,
    patience: int,
    after_epoch: Callable[[int], None],
) -> keras.Model:
    """Fits on the rows whose `held_out` is 0 and stops when those with 1 no longer get likelier."""
    learn, judge = held_out == 0, held_out == 1
    network.compile(keras.optimizers.Adam(LEARNING_RATE, clipnorm=1.0), loss=likelihood)
    has_judges = bool(judge.any())
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after_epoch(epoch + 1))
    ]
    if has_judges:
        callbacks.append(
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)
        )
    network.fit(
        [part[learn] for part in inputs],
        weights[learn],
        batch_size=BATCH,
        epochs=epochs,
        validation_data=([part[judge] for part in inputs], weights[judge]) if has_judges else None,
        validation_batch_size=ASKED_AT_ONCE,
        callbacks=callbacks,
        verbose=0,
    )
    return network


def probabilities(network: keras.Model, inputs: tuple[Matrix, Matrix]) -> Floats:
    """[n, K, 1 + M]; one graph for every size of batch, so nothing is traced again."""
    asked = _graph(network)
    size = len(inputs[0])
    if not size:
        return np.zeros((0, *network.output_shape[1:]))
    said = [
        asked(*(part[start : start + ASKED_AT_ONCE] for part in inputs)).numpy()
        for start in range(0, size, ASKED_AT_ONCE)
    ]
    return np.concatenate(said).astype(np.float64)


def _graph(network: keras.Model) -> Callable[..., tf.Tensor]:
    if not hasattr(network, "asked"):
        shapes = [tf.TensorSpec(each.shape, tf.float32) for each in network.inputs]
        network.asked = tf.function(
            lambda blocks, static: tf.nn.softmax(network([blocks, static], training=False)), input_signature=shapes
        )
    graph: Callable[..., tf.Tensor] = network.asked
    return graph


def to_bytes(network: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras 3.15 asks NumPy 2 in the old way
        path = Path(folder) / "network.keras"
        network.save(path)
        return path.read_bytes()


def from_bytes(content: bytes) -> keras.Model:
    """Layers of ours only; a network that brings code is refused by Keras' safe mode as well."""
    check_network(content)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        path = Path(folder) / "network.keras"
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
