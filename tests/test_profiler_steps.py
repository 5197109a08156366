"""The profiler by steps: `runtime.profiler`."""

import json

import pytest

import runtime as rt
from runtime.profiler import ProfilerAction, ProfilerActivity, profile, record_function, schedule, supported_activities


def names(events):
    return [event.name for event in events]


def test_a_block_is_profiled_with_its_regions():
    assert supported_activities() == {ProfilerActivity.CPU}
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], record_shapes=True, profile_memory=True) as seen, record_function("mine"):
        rt.ones(2, 3) * 2
    assert {"mine", "aten::ones", "aten::mul"} <= set(names(seen.events()))
    assert "aten::mul" in seen.key_averages(group_by_input_shape=True).table()


def test_what_is_not_of_the_cpu_has_no_events():
    with profile(activities=[ProfilerActivity.CUDA], on_trace_ready=lambda p: None):
        rt.ones(2)
    with pytest.raises(AssertionError, match="activities"):
        profile(activities=[])
    with pytest.raises(TypeError, match="colour"):
        profile(colour=1)


def test_a_schedule_says_which_steps_are_profiled():
    ready = []
    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=lambda p: ready.append(names(p.events()))) as seen:
        for step in range(12):
            with record_function(f"step{step}"):
                rt.ones(1)
            seen.step()
    assert [[n for n in events if n.startswith("step")] for events in ready] == [["step2", "step3"], ["step6", "step7"]]


def test_events_of_earlier_rounds_are_kept_when_asked():
    with profile(schedule=schedule(wait=1, warmup=0, active=1), acc_events=True) as seen:
        for step in range(4):
            with record_function(f"step{step}"):
                pass
            seen.step()
    assert names(seen.events()) == ["step1", "step3"]


def test_a_profiler_that_did_not_listen_has_no_events():
    with profile(schedule=lambda step: ProfilerAction.NONE) as seen:
        rt.ones(1)
    with pytest.raises(AssertionError, match="not listened"):
        seen.events()


def test_the_trace_file_has_the_events_and_notes(tmp_path):
    with profile() as seen:
        rt.ones(1)
        seen.add_metadata("who", "me")
        seen.add_metadata_json("count", "[1]")
    seen.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["who"] == "me" and trace["count"] == [1] and "aten::ones" in [event["name"] for event in trace["traceEvents"]]


@pytest.mark.oracle
@pytest.mark.parametrize("settings", [(1, 1, 2, 0, 0, 0), (0, 1, 1, 2, 3, 0), (2, 0, 1, 2, 1, 1), (3, 2, 1, 1, 0, 1)])
def test_schedules_are_pytorchs(settings):
    torch = pytest.importorskip("torch")
    given = dict(zip(("wait", "warmup", "active", "repeat", "skip_first", "skip_first_wait"), settings, strict=True))
    ours, theirs = schedule(**given), torch.profiler.schedule(**given)
    assert [ours(i).name for i in range(20)] == [theirs(i).name for i in range(20)]
