"""The numbers of a figure as a table, and the places of bands and labels in a Sankey."""

from datetime import date
from itertools import pairwise

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts import charts

HEIGHT = 340
INSIDE = HEIGHT - 46 - 24
USERS, CREATORS, PLATFORM = ("Users", 1_000, "#3B82F6"), ("Creators", 800, "#10B981"), ("Platform", 200, "#8B5CF6")


def numbers(figure: go.Figure) -> dict[str, list[object]]:
    frame = charts.numbers_of(figure)
    return {str(name): column.where(column.notna(), None).tolist() for name, column in frame.astype(object).items()}


def test_bars_become_a_column_each_with_their_axis_in_front() -> None:
    days = [date(2026, 11, 3), date(2026, 11, 4)]
    figure = charts.stacked_days(days, {"Creators": ("#10B981", [800, 0]), "Platform": ("#8B5CF6", [201, 50])})
    figure.update_xaxes(title="day of posting")
    assert numbers(figure) == {"Day of posting": days, "Creators": [800, 0], "Platform": [201, 50]}


def test_bars_that_lie_have_their_places_on_the_other_axis() -> None:
    figure = go.Figure([go.Bar(orientation="h", x=[3, 4], y=["ada", "ben"], name="Paid")])
    figure.update_layout(yaxis_title="user", xaxis_title="credits")
    assert numbers(figure) == {"User": ["ada", "ben"], "Paid": [3, 4]}


def test_places_that_only_one_line_has_are_empty_for_the_other() -> None:
    figure = go.Figure([go.Scatter(x=[1, 2], y=[10, 20], name="A"), go.Scatter(x=[2, 3], y=[5, 6], name="B")])
    assert numbers(figure) == {"": [1, 2, 3], "A": [10, 20, None], "B": [None, 5, 6]}


def test_of_several_values_in_one_place_the_last_is_listed() -> None:
    figure = go.Figure([go.Scatter(x=[1, 1, 2], y=[0, 10, 20])])
    assert numbers(figure) == {"": [1, 2], "Value": [10, 20]}


def test_a_sankey_becomes_a_row_for_each_flow() -> None:
    figure = charts.sankey([USERS, CREATORS, PLATFORM], [(0, 1, 800), (0, 2, 200)], height=HEIGHT)
    assert numbers(figure) == {
        "From": ["Users", "Users"],
        "To": ["Creators", "Platform"],
        "Credits": [800, 200],
    }


def labels(figure: go.Figure) -> dict[str, tuple[float, float]]:
    """Where the middle of each label is, in pixels from the top, and on which side, by its text."""
    return {one.text: ((1 - one.y) * INSIDE, one.x) for one in figure.layout.annotations}


def test_a_band_is_as_high_as_its_credits_and_its_label_stands_at_its_middle() -> None:
    figure = charts.sankey([USERS, CREATORS, PLATFORM], [(0, 1, 800), (0, 2, 200)], height=HEIGHT)
    # Two bands and a gap of 36 pixels fill 270: 1,000 credits are 234, so 800 are 187.2 and 200 are 46.8.
    assert [centre * INSIDE for centre in figure.data[0].node.y] == pytest.approx([117, 93.6, 187.2 + 36 + 23.4])
    assert labels(figure) == {
        "<b>Users</b> 100 %<br>1,000": (pytest.approx(117), 0),
        "<b>Creators</b> 80 %<br>800": (pytest.approx(93.6), 1),
        "<b>Platform</b> 20 %<br>200": (pytest.approx(246.6), 1),
    }
    assert list(figure.data[0].node.x) == [0.001, 0.999, 0.999]
    assert figure.data[0].node.pad == 36  # what the browser takes off for each gap, to draw to the same scale


@pytest.mark.parametrize(
    ("credits", "per_cent"),
    [(0, "0 %"), (1, "below 1 %"), (49, "below 1 %"), (50, "1 %"), (51, "1 %"), (1_234, "12 %"), (10_000, "100 %")],
)
def test_a_part_is_said_in_whole_per_cent_and_a_small_one_never_as_nothing(credits: int, per_cent: str) -> None:
    assert charts._per_cent(credits, 10_000) == per_cent


@given(
    shares=st.lists(st.lists(st.integers(0, 10**15), min_size=1, max_size=7), min_size=1, max_size=3).filter(
        lambda rows: len({len(row) for row in rows}) == 1 and any(any(row) for row in rows)
    ),
    height=st.sampled_from([260, 340, 500]),
)
def test_no_band_and_no_label_lies_on_another(shares: list[list[int]], height: int) -> None:
    sources, targets = len(shares), len(shares[0])
    nodes = [(f"source {number}", sum(row), "#3B82F6") for number, row in enumerate(shares)]
    nodes += [(f"target {number}", sum(row[number] for row in shares), "#10B981") for number in range(targets)]
    flows = [
        (source, sources + target, credits)
        for source, row in enumerate(shares)
        for target, credits in enumerate(row)
        if credits
    ]
    figure = charts.sankey(nodes, flows, height=height)
    inside = height - 46 - 24
    for side in (0, 1):
        middles = [(1 - one.y) * inside for one in figure.layout.annotations if one.x == side]
        assert all(below - above >= 36 - 1e-6 for above, below in pairwise(middles))
    drawn = {end for flow in flows for end in flow[:2]}
    for column in (range(sources), range(sources, sources + targets)):
        centres = [figure.data[0].node.y[number] for number in column if number in drawn]
        assert centres == sorted(centres)
        assert all(0 <= centre <= 1 + 1e-9 for centre in centres)
