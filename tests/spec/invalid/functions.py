"""Functions that the files beside it name."""


def check(ctx: object) -> None:
    assert ctx
