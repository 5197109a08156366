"""Anomaly mode: errors of backward come with the forward call's stack, and nan is an error."""

import warnings

import pytest

import runtime as rt
from runtime.autograd import Function, anomaly_mode, detect_anomaly, set_detect_anomaly


def forward_of_the_culprit(x):
    return (x * float("nan")).sqrt()


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def messages(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(one.message) for one in caught]


class Fails(Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise ValueError("no")


def test_an_error_of_backward_shows_the_forward_call():
    x = rt.ones(2, requires_grad=True)

    def run():
        with detect_anomaly(check_nan=False), pytest.raises(ValueError, match="no"):
            y = Fails.apply(x)
            y.sum().backward()

    first, second = messages(run)
    assert first.startswith("Anomaly Detection has been enabled.")
    assert second.startswith("Error detected in FailsBackward. Traceback of forward call that caused the error:\n")
    assert "y = Fails.apply(x)" in second


def test_gradients_that_are_nan_are_errors(quiet):
    x = rt.ones(2, requires_grad=True)
    with detect_anomaly(), pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output."):
        forward_of_the_culprit(x).sum().backward()
    with detect_anomaly(check_nan=False):
        forward_of_the_culprit(x).sum().backward()
    assert x.grad.isnan().all()


def test_a_call_that_was_not_recorded_in_the_mode_has_no_stack():
    y = forward_of_the_culprit(rt.ones(2, requires_grad=True)).sum()

    def run():
        with set_detect_anomaly(True), pytest.raises(RuntimeError):
            y.backward()

    assert messages(run) == [
        "Error detected in SqrtBackward0. No forward pass information available. Enable detect anomaly during forward pass for more information."
    ]


def test_calls_of_backward_name_the_call_that_they_belong_to():
    class Outer(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return Fails.apply(grad * ctx.saved_tensors[0])

    x = rt.ones(2, requires_grad=True)

    def run():
        with set_detect_anomaly(True), pytest.raises(ValueError):
            (grad,) = rt.autograd.grad(Outer.apply(x).sum(), x, create_graph=True)
            grad.sum().backward()

    first, second, *_ = messages(run)
    assert first.startswith("Error detected in FailsBackward. Traceback of forward call")
    assert second.startswith(
        "\n\nPrevious calculation was induced by OuterBackward. Traceback of forward call that induced the previous calculation:\n"
    )


def test_the_mode_is_as_before_after_a_block(quiet):
    from runtime import _core

    assert not _core._is_anomaly_enabled()
    with detect_anomaly(check_nan=False):
        assert _core._is_anomaly_enabled() and not _core._is_anomaly_check_nan_enabled()
        with set_detect_anomaly(False):
            assert not _core._is_anomaly_enabled()
        assert _core._is_anomaly_enabled()
    assert not _core._is_anomaly_enabled() and _core._is_anomaly_check_nan_enabled()


def test_a_stack_ends_at_the_caller():
    assert "anomaly_mode.forward_trace()" in anomaly_mode.forward_trace()[-1]
