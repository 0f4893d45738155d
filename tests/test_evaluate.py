"""Every example counts exactly once, and every measure agrees with scikit-learn or with its definition."""

import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console
from sklearn import metrics

from digitjax import cli, evaluate
from digitjax.commands import evaluate as command
from digitjax.data.labels import NOT_A_DIGIT
from digitjax.data.pipeline import Examples
from digitjax.errors import DigitjaxError, InputError
from digitjax.predict import predict
from digitjax.types import Logits, Model

FIELDS = """
data n_digits n_other n_skipped accuracy nll ece answered accuracy_answered auroc refused confusion writers
"""


def linear(rejects: bool) -> tuple[Model, list[int]]:
    """A network of one matrix, and the batch sizes for which it was traced."""
    traced = []

    def apply(params, images, key=None):
        traced.append(len(images))
        out = images.reshape(len(images), -1) @ params["w"]
        return Logits(out[:, :10], out[:, 10] if rejects else None)

    return Model(lambda key: {"w": jax.random.normal(key, (784, 11))}, apply, "mnist28"), traced


def some_examples(n: int, seed: int = 0) -> Examples:
    """Digits whose pixels say a little about the label, letters clear and ambiguous, three writers."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 12, n).clip(max=NOT_A_DIGIT).astype(np.int8)
    words = tuple(str(label) if label < 10 else "AEOl"[i % 4] for i, label in enumerate(labels))
    images = random.integers(0, 30, (n, 28, 28, 1))
    images[np.arange(n), labels, labels] += 200
    writers = tuple((None, "ann", "bob", "eve")[i % 4] for i in range(n))
    return Examples(
        name="made", images=images.astype(np.uint8), labels=labels, words=words, writers=writers, skipped=3
    )


@pytest.fixture(scope="module")
def network():
    model, traced = linear(rejects=True)
    params = jax.tree.map(lambda w: w * 0.5, model.init(jax.random.key(1)))
    diagonal = np.arange(11) * 29
    return model, {"w": params["w"].at[diagonal, np.arange(11)].add(2.0)}, traced


@pytest.fixture(scope="module")
def measured(network):
    examples = some_examples(1300)
    return examples, evaluate.evaluate(network[0], network[1], examples)


@pytest.fixture(scope="module")
def reference(network, measured):
    """Probabilities, scores and who is what, computed in one piece and in float64."""
    examples, _ = measured
    out = (examples.images.reshape(len(examples.labels), -1) / 255.0) @ np.asarray(
        network[1]["w"], np.float64
    )
    p = np.exp(out[:, :10] - out[:, :10].max(1, keepdims=True))
    other = np.array([word in "AE" for word in examples.words])
    return p / p.sum(1, keepdims=True), out[:, 10], examples.labels < 10, other


def test_every_example_is_counted_once(measured):
    examples, e = measured
    ambiguous = sum(word in "Ol" for word in examples.words)
    assert e.n_digits == sum(label < 10 for label in examples.labels)
    assert e.n_skipped == 3 + ambiguous
    assert e.n_digits + e.n_other + e.n_skipped == len(examples.labels) + examples.skipped
    assert e.confusion.sum() == e.n_digits


def test_measures_agree_with_scikit_learn(measured, reference):
    examples, e = measured
    p, score, digit, other = reference
    truth, answer = examples.labels[digit], p[digit].argmax(1)
    assert 0.2 < e.accuracy < 0.98
    assert e.accuracy == pytest.approx(metrics.accuracy_score(truth, answer), abs=1e-12)
    assert e.nll == pytest.approx(metrics.log_loss(truth, p[digit], labels=range(10)), rel=1e-5)
    np.testing.assert_array_equal(e.confusion, metrics.confusion_matrix(truth, answer, labels=range(10)))
    measured_ones = digit | other
    assert e.auroc == pytest.approx(
        metrics.roc_auc_score(digit[measured_ones], score[measured_ones]), abs=1e-5
    )


def test_calibration_abstention_and_writers_by_their_definition(measured, reference):
    examples, e = measured
    p, score, digit, other = reference
    right = p[digit].argmax(1) == examples.labels[digit]
    confidence = p[digit].max(1)
    ece = 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        if inside.any():
            ece += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert e.ece == pytest.approx(ece, abs=1e-5)
    answered = score[digit] >= 0
    assert 0 < answered.mean() < 1
    assert e.answered == pytest.approx(answered.mean()) and e.accuracy_answered == pytest.approx(
        right[answered].mean()
    )
    refused = max(
        (score[other] < t).mean() for t in score[digit] if (score[digit] >= t).mean() >= evaluate.KEPT
    )
    assert e.refused == pytest.approx(refused)
    known = np.array([str(writer) for writer in examples.writers])[digit]
    assert e.writers == pytest.approx({w: right[known == w].mean() for w in ("ann", "bob", "eve")})


@pytest.mark.parametrize("n", [1, evaluate.BATCH, evaluate.BATCH + 1])
def test_the_last_batch_counts_no_padding(n, network):
    model, params, _ = network
    labels = np.arange(n, dtype=np.int8) % 10
    examples = some_examples(n)._replace(labels=labels, words=tuple(map(str, labels)))
    e = evaluate.evaluate(model, params, examples)
    assert e.n_digits == n and e.confusion.sum() == n
    assert evaluate.loss_and_accuracy(evaluate.answer_digits(model, params, examples)) == pytest.approx(
        (e.nll, e.accuracy), rel=1e-5
    )


def test_validation_leaves_others_out_and_agrees_with_evaluation(network, measured):
    examples, e = measured
    found = evaluate.loss_and_accuracy(evaluate.answer_digits(network[0], network[1], examples))
    assert found == pytest.approx((e.nll, e.accuracy), rel=1e-5)


def test_validation_is_compiled_once_for_all_epochs_and_sources():
    model, traced = linear(rejects=False)
    params = model.init(jax.random.key(0))
    for epoch in range(3):
        params = jax.tree.map(lambda w: w + 0.1, params)
        for n in (5, 600):
            evaluate.loss_and_accuracy(evaluate.answer_digits(model, params, some_examples(n, epoch)))
    assert traced == [evaluate.BATCH]


def test_params_replicated_over_two_devices_give_the_same(network, measured):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    params = jax.device_put(network[1], jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))
    found = evaluate.loss_and_accuracy(evaluate.answer_digits(network[0], params, measured[0]))
    assert found == pytest.approx(
        evaluate.loss_and_accuracy(evaluate.answer_digits(network[0], network[1], measured[0])), rel=1e-6
    )


@pytest.mark.parametrize("rejects", [True, False])
def test_a_digit_without_ink_is_not_answered_and_wrong(network, rejects):
    model, params = linear(rejects)[0], {"w": network[1]["w"].at[:, 10].set(1.0)}
    labels = np.array([0, 1, 2, 0], np.int8)
    examples = some_examples(4)._replace(labels=labels, words=("0", "1", "2", "0"), writers=None)
    images = np.zeros_like(examples.images)
    images[np.arange(4), labels, labels] = 255
    images[2:] = 0
    e = evaluate.evaluate(model, params, examples._replace(images=images))
    assert (e.n_digits, e.accuracy, e.answered, e.accuracy_answered) == (4, 0.5, 0.5, 1.0)
    assert (e.n_wrong, e.n_blank, e.confusion.sum()) == (2, 2, 2)
    found = predict(model, params, images / np.float32(255))
    assert [one.answer for one in found] == ["0", "1", "", ""]
    assert np.mean([one.answer != "" for one in found]) == e.answered
    assert all((one.probabilities == 0.1).all() for one in found[2:])
    console = Console(record=True, file=io.StringIO())
    command.show([e], console)
    assert "2 without any ink" in console.export_text()


def test_what_cannot_be_measured_is_none(network):
    model, params, _ = network
    examples = some_examples(40)
    digits = examples.labels < 10
    letters = examples._replace(
        images=examples.images[~digits],
        labels=examples.labels[~digits],
        words=("A",) * int((~digits).sum()),
        writers=None,
    )
    e = evaluate.evaluate(model, params, letters)
    assert (e.n_digits, e.accuracy, e.nll, e.ece, e.answered, e.auroc, e.refused) == (0, *[None] * 6)
    assert e.writers == {}
    with pytest.raises(InputError, match="no digit"):
        evaluate.loss_and_accuracy(evaluate.answer_digits(model, params, letters))
    with pytest.raises(InputError, match="nothing to evaluate"):
        evaluate.evaluate(model, params, letters._replace(words=("O",) * len(letters.words)))
    e = evaluate.evaluate(linear(rejects=False)[0], params, examples)
    assert (e.answered, e.auroc, e.refused) == (1.0, None, None)
    assert e.accuracy == e.accuracy_answered


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda e: {"images": e.images.astype(np.int64)}, "are int64: give uint8 from 0"),
        (lambda e: {"images": e.images.astype(np.float32)}, "floats from 0 to 229: give"),
        (lambda e: {"images": (e.images > 99).astype(np.uint8)}, "uint8 of 0 and 1 alone"),
        (lambda e: {"images": e.images / 255 - 0.5}, "floats from -0.5 to 0.398039: give"),
        (lambda e: {"images": e.images / np.nan}, "floats from nan to nan: give"),
        (lambda e: {"images": e.images[..., 0]}, r"have shape \[40, 28, 28\]: give \[n, 28, 28, 1\]"),
        (lambda e: {"images": e.images[:39]}, "made has 40 labels and 39 images"),
        (lambda e: {"words": e.words[:1]}, "made has 40 labels and 1 words"),
        (lambda e: {"labels": e.labels - 1}, "the label -1: give 0 to 9, or 10"),
        (lambda e: {"labels": e.labels + 1}, "the label 11: give"),
        (lambda e: {"labels": e.labels[:, None]}, r"labels of shape \[40, 1\]: give"),
        (lambda e: {"labels": np.eye(11)[e.labels]}, r"labels of shape \[40, 11\]: give"),
        (lambda e: {"labels": e.labels.astype(float)}, "labels of float64: give whole"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_a_network_would_read_wrongly_is_refused(network, change, says):
    model, params, _ = network
    examples = some_examples(40)
    with pytest.raises(ValueError, match=says), np.errstate(invalid="ignore", divide="ignore"):
        evaluate.evaluate(model, params, examples._replace(**change(examples)))
    unit = examples._replace(images=examples.images / 255)
    as_bytes, as_floats = (evaluate.evaluate(model, params, one) for one in (examples, unit))
    assert (as_floats.accuracy, as_floats.nll) == pytest.approx((as_bytes.accuracy, as_bytes.nll), rel=1e-5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda out: out[:, :10], "answers a .*: give Logits"),
        (lambda out: Logits(out), r"answers digits of shape \[256, 11\]: give \[256, 10\]"),
        (lambda out: Logits(out[:, :9]), r"digits of shape \[256, 9\]"),
        (lambda out: Logits(out[:, :10], out[:, 10:]), r"is_digit of shape \[256, 1\]: give \[256\]"),
    ],
)
def test_a_network_that_answers_in_another_form_is_refused(network, change, says):
    model = network[0]._replace(apply=lambda p, x, key=None: change(x.reshape(len(x), -1) @ p["w"]))
    with pytest.raises(ValueError, match=says):
        evaluate.evaluate(model, network[1], some_examples(20))


@pytest.mark.usefixtures("unchecked")
def test_examples_of_one_s_own_are_measured_by_images_and_labels_alone(network):
    model, params, _ = network
    whole = some_examples(40)
    digits = whole.labels < 10
    bare = evaluate.evaluate(model, params, Examples("mine", whole.images[digits], whole.labels[digits]))
    assert (bare.n_digits, bare.n_skipped) == (digits.sum(), 0) and bare.data == "mine"
    assert bare.accuracy == evaluate.evaluate(model, params, whole).accuracy
    assert evaluate.evaluate(model, params, Examples("mine", whole.images, whole.labels)).n_other > 0
    arrays = whole._replace(words=np.array(whole.words), writers=np.array(["ann"] * 40))  # type: ignore[arg-type]
    assert list(evaluate.evaluate(model, params, arrays).writers) == ["ann"]
    low = whole._replace(images=np.asarray(whole.images / 255, "bfloat16"))
    assert evaluate.evaluate(model, params, low).n_digits == digits.sum()


def test_a_network_that_answers_nan_is_refused(network):
    broken = jax.tree.map(lambda w: w.at[0].set(jnp.nan), network[1])
    with pytest.raises(DigitjaxError, match="no number"):
        evaluate.evaluate(network[0], broken, some_examples(20))


class Loaded:
    """What the command needs of a checkpoint."""

    def __init__(self, model, params):
        self.model, self.params = model, params

    def __str__(self):
        return "cnn-0, step 12"


@pytest.fixture
def drawings(tmp_path, network, monkeypatch):
    monkeypatch.setattr("digitjax.checkpoint.load_model", lambda checkpoint: Loaded(*network[:2]))
    lines = [
        {"word": word, "drawing": [[[0, i + 1], [0, 40]]], "writer": "ann"}
        for i, word in enumerate(["7", "1", "A", "O", None])
    ]
    path = tmp_path / "drawn [1].ndjson"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return f"strokes:{path}"


def test_json_has_the_contract_s_fields_and_nothing_else_is_on_stdout(drawings, capsys):
    assert (
        cli.main(["evaluate", "--data", drawings, "digits8x8@validation", "--data", drawings, "--json"]) == 0
    )
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [list(e) for e in found] == [FIELDS.split()] * 3
    assert (found[0]["n_digits"], found[0]["n_other"], found[0]["n_skipped"]) == (2, 1, 2)
    assert found[0] == found[2] and found[1]["n_digits"] > 100
    assert np.array(found[0]["confusion"]).shape == (10, 10)
    assert "cnn-0, step 12" in err


def test_the_table_fits_80_columns_and_names_the_commonest_mistake(measured, capsys):
    e = measured[1]._replace(data="strokes:a/rather/long/folder/for/a [file].ndjson.gz")
    command.show([e, e._replace(auroc=None, refused=None)], Console(width=80, highlight=False))
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    wrong = e.confusion * (1 - np.eye(10, dtype=int))
    truth, answer = np.unravel_index(wrong.argmax(), wrong.shape)
    words = " ".join(text.split())
    assert f"{wrong.sum():,} wrong, most often {truth} read as {answer} ({wrong.max()})" in words
    assert e.doubts is not None and f"two named on {e.doubts.n:,} in doubt" in words
    assert f"{100 * e.risk_at_99:.2f} % wrong when the surest 99 % are answered" in words
    assert f"{100 * e.accuracy:.2f} %" in text and "…/a [file]" in text and e.data in words


@pytest.mark.parametrize(
    ("n", "said"), [(1, "1 drawing that is no digit"), (2, "2 drawings that are no digits")]
)
def test_one_is_said_as_one(measured, n, said):
    for e in (measured[1]._replace(n_other=n), measured[1]._replace(n_other=n, refused=None)):
        assert any(said in remark for remark in command._remarks(e))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--data"),
        (["--data"], "--data"),
        (["mnist"], "--data"),
        (["--dta", "mnist"], "did you mean --data?"),
        (["--data", "mnist", "--jso"], "did you mean --json?"),
        (["--data", "mnits"], "mnist"),
    ],
)
def test_bad_arguments_are_one_sentence(argv, said, capsys):
    assert cli.main(["evaluate", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
