"""The profiler: which calls it sees, how they lie inside each other, sums and tables."""

import json

import pytest

import runtime as rt
from runtime.autograd.profiler import KinetoStepTracker, emit_nvtx, load_nvprof, profile, record_function
from runtime.autograd.profiler_util import EventList, FunctionEvent, FunctionEventAvg, _format_memory, _format_time


def names(events):
    return [event.name for event in events]


def test_calls_and_regions_are_seen_in_order():
    x = rt.ones(3)
    with profile() as p:
        with record_function("outer"):
            y = x * 2 + 4
            with record_function("inner"):
                y - 1
    found = names(p.function_events)
    wanted = iter(found)
    assert all(name in wanted for name in ("outer", "aten::mul", "aten::add", "inner", "aten::sub"))
    outer = p.function_events[found.index("outer")]
    assert {"aten::mul", "inner"} <= set(names(outer.cpu_children))
    assert outer.is_user_annotation and outer.self_cpu_time_total < outer.cpu_time_total


def test_a_call_is_one_event_however_many_keys_it_passes():
    x = rt.ones(3, requires_grad=True)
    with profile() as p:
        x.sin()
    assert names(p.function_events).count("aten::sin") == 1


def test_nodes_have_the_numbers_of_their_calls():
    x = rt.ones(3, requires_grad=True)
    with profile() as p:
        y = x.sin()
        y.sum().backward()
    events = {event.name: event for event in p.function_events}
    assert events["SinBackward0"].sequence_nr == events["aten::sin"].sequence_nr >= 0
    assert events["autograd::engine::evaluate_function: SinBackward0"].cpu_children == [events["SinBackward0"]]
    assert events["SinBackward0"].fwd_thread is not None


def test_shapes_are_recorded_where_they_are_wanted():
    layer = rt.nn.Linear(20, 30)
    with profile(record_shapes=True) as p:
        layer(rt.ones(5, 20))
    assert [[5, 20], [30, 20], [30]] in [event.input_shapes for event in p.function_events]
    with profile() as p:
        layer(rt.ones(5, 20))
    assert not any(event.input_shapes for event in p.function_events)


def test_errors_inside_end_the_profile():
    p = profile()
    with pytest.raises(RuntimeError), p:
        rt.ones(2) + rt.ones(3)
    assert "aten::add" in names(p.function_events)
    with profile() as again:
        rt.ones(2).sin()
    assert "aten::sin" in names(again.function_events)


def test_profiles_are_used_once_and_one_at_a_time():
    p = profile()
    with pytest.raises(RuntimeError, match="didn't finish"):
        _ = p.function_events
    with p, pytest.raises(RuntimeError, match="already enabled"), profile():
        pass
    with pytest.raises(RuntimeError, match="not reentrant"):
        p.__enter__()
    with pytest.raises(TypeError, match="unexpected keyword arguments"):
        profile(shapes=True)
    with profile(enabled=False):
        pass


def test_regions_outside_of_profiles_and_decorators_do_nothing():
    @record_function("f")
    def f(x):
        return x + 1

    assert f(1) == 2
    with profile() as p:
        f(1)
    assert names(p.function_events) == ["f"]


def test_regions_have_operators_too():
    with profile() as p:
        handle = rt.ops.profiler._record_function_enter("region", None)
        rt.ones(2).sin()
        rt.ops.profiler._record_function_exit(handle)
    assert "region" in names(p.function_events)
    with pytest.raises(RuntimeError, match="no region that is open"):
        rt.ops.profiler._record_function_exit(handle)


def test_sums_tables_and_traces(tmp_path):
    x = rt.ones(3)
    with profile(record_shapes=True) as p:
        for _ in range(3):
            x.sin()
    (total,) = [one for one in p.key_averages() if one.key == "aten::sin"]
    assert total.count == 3 and total.cpu_time == pytest.approx(total.cpu_time_total / 3)
    assert p.total_average().key == "Total" and p.self_cpu_time_total > 0
    assert str(p) == p.table()
    table = p.key_averages(group_by_input_shape=True).table(sort_by="self_cpu_time_total", row_limit=1, header="TITLE", time_unit="us")
    assert table.startswith("TITLE") and "aten::sin" in table and "[[3]]" in table
    p.export_chrome_trace(tmp_path / "trace.json")
    assert len(json.loads((tmp_path / "trace.json").read_text())) == len(p.function_events)


def test_events_are_parts_of_those_around_them_in_their_thread():
    ranges = [(0, 0, 10, "a"), (0, 1, 4, "b"), (0, 2, 3, "c"), (0, 5, 9, "d"), (1, 2, 3, "e")]
    events = EventList(FunctionEvent(i, name, thread, start, end) for i, (thread, start, end, name) in enumerate(ranges))
    events._populate_cpu_children()
    assert [names(event.cpu_children) for event in events] == [["b", "d"], ["c"], [], [], []]
    assert events[0].self_cpu_time_total == 3


def test_averages_add_up():
    avg = FunctionEventAvg()
    avg.add(FunctionEvent(0, "foo", 0, 10, 15))
    avg.add(FunctionEvent(1, "foo", 0, 20, 30))
    avg.add(avg)
    assert (avg.key, avg.count, avg.cpu_time_total, avg.cpu_time) == ("foo", 4, 30, 7.5)
    with pytest.raises(AssertionError, match="do not belong"):
        avg.add(FunctionEvent(2, "bar", 0, 0, 1))


def test_times_and_sizes_have_units():
    assert [_format_time(t) for t in (5, 5e3, 5e6)] == ["5.000us", "5.000ms", "5.000s"]
    assert [_format_memory(n) for n in (5, 5 << 10, 5 << 20)] == ["5 B", "5.00 KB", "5.00 MB"]


def test_steps_are_those_of_whoever_is_ahead():
    KinetoStepTracker.init_step_count("a")
    KinetoStepTracker.init_step_count("b")
    start = KinetoStepTracker.current_step()
    KinetoStepTracker.increment_step("a")
    assert KinetoStepTracker.increment_step("b") == start + 1
    assert KinetoStepTracker.erase_step_count("a") and not KinetoStepTracker.erase_step_count("a")
    KinetoStepTracker.erase_step_count("b")


def test_tools_of_vendors_are_not_here():
    with pytest.raises(NotImplementedError, match="NVTX"), emit_nvtx():
        pass
    with pytest.raises(NotImplementedError, match="nvprof"):
        load_nvprof("x")
