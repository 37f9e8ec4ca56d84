"""The subject in a process: made from the spec, called once to see what it returns, started and ended.

An embedder is a factory, called with the model folder. A service is a function from texts, or its factory: a
class, or a function without parameters or with one that is annotated or named as the model folder. A function
whose result for texts is itself callable is a factory, too.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple

from harness.cell.channel import Channel
from harness.cell.interface import CellSpec, load_dotted
from harness.cell.record import clean

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXTS = ["a first text", "a second text that is longer than the first", "a third"]
"""The texts of the first call."""

FOLDER_TYPES = ("str", "Path", "PathLike", "os.PathLike", "pathlib.Path")
"""Annotations of a parameter that takes the model folder; one that takes texts has the type of a list."""

FOLDER_NAMES = ("model_dir", "model_path", "model_folder", "folder", "path")
"""Names of such a parameter without annotation."""


class SubjectError(Exception):
    """The subject is not what the matrix says; one sentence with the key and the remedy."""


class ResultShapeError(Exception):
    """A runtime answers with an array of another shape than that of its inputs; with both shapes."""


def make_subject(spec: CellSpec, role: str = "") -> Any:
    """The callable from texts to vectors; ``role`` is ``query`` for that of queries.

    Raises:
        SubjectError: it is not callable, or its factory cannot be called with the model folder.
        Exception: whatever the factory raises.
    """
    if role == "query" and spec.query:
        return _make_service("query", spec.query, spec.model_dir)
    if spec.service:
        return _make_service(*_name_key(spec), spec.model_dir)
    return _make_embedder(spec)


def _name_key(spec: CellSpec) -> Tuple[str, str]:
    """The key of the matrix that names what embeds texts, and its dotted path."""
    if not spec.service:
        return "embedder", spec.embedder
    return "document" if spec.query else "service", spec.service


def _make_embedder(spec: CellSpec) -> Any:
    own = {"threads": spec.threads} if spec.is_shipped else {}
    factory = load_dotted(spec.embedder)
    _refuse_parameters("embedder", spec.embedder, factory)
    try:
        made = factory(spec.model_dir, **own)
    except Exception:
        if inspect.isfunction(factory) and _takes_texts(factory):
            raise SubjectError(f"subject.embedder: {spec.embedder} takes texts; {_FACTORY}") from None
        raise
    return _hold_callable("embedder", spec.embedder, made)


_FACTORY = (
    "embedder names a factory (model_dir) -> callable, and service a function from texts to final vectors"
)


def _takes_texts(function: Callable[..., Any]) -> bool:
    try:
        return _has_rows(function(list(TEXTS)))
    except Exception:  # noqa: BLE001 - whatever it raises, it takes no texts
        return False


def _make_service(key: str, path: str, model_dir: str) -> Any:
    found: Any = load_dotted(path)
    factory = inspect.isclass(found) or (inspect.isfunction(found) and _takes_folder(found))
    if factory:
        _refuse_parameters(key, path, found, none_too=True)
        return _hold_callable(key, path, found(model_dir) if _fits(found, model_dir) else found())
    if not callable(found):
        raise SubjectError(f"subject.{key}: {path} is {_name(found)}, but should be a function or a class")
    return _find_service(found, model_dir)


def _takes_folder(function: Callable[..., Any]) -> bool:
    """Whether the signature of a function is that of a factory."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        return True
    kind = parameters[0].annotation
    named = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    unknown = kind is inspect.Parameter.empty
    return named in FOLDER_TYPES or (unknown and parameters[0].name in FOLDER_NAMES)


def _find_service(found: Callable[..., Any], model_dir: str) -> Any:
    """The function itself if it takes texts, or what it makes of the model folder.

    A function that raises for both is used as it is, so that its exception is a result of the checks.
    """
    try:
        returned = _call(found, TEXTS[:1])
    except Exception:  # noqa: BLE001 - whatever a service raises
        try:
            made = _call(found, model_dir)
        except Exception:  # noqa: BLE001 - likewise
            return found
        return made if callable(made) else found
    return found(model_dir) if callable(returned) else found


def _call(function: Callable[..., Any], argument: Any) -> Any:
    returned = function(argument)
    if inspect.iscoroutine(returned):
        returned.close()  # else Python warns that it was never awaited
    return returned


def _fits(factory: Callable[..., Any], *arguments: Any) -> bool:
    try:
        inspect.signature(factory).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a class of an extension module has no signature
        return True
    return True


def _refuse_parameters(key: str, path: str, factory: Any, *, none_too: bool = False) -> None:
    if not callable(factory):
        raise SubjectError(f"subject.{key}: {path} is {_name(factory)}, but should be a class or a function")
    if not _fits(factory, "model") and not (none_too and _fits(factory)):
        raise SubjectError(
            f"subject.{key}: {path} cannot be called with the model folder as its only argument; "
            "give its other parameters a default"
        )


def _hold_callable(key: str, path: str, made: Any) -> Any:
    if callable(made):
        return made
    remedy = _FACTORY if key == "embedder" else "it should return a function from texts to vectors"
    raise SubjectError(f"subject.{key}: {path} returns {_name(made)} for the model folder; {remedy}")


def _name(value: Any) -> str:
    """The type of a value in words: ``a list``, ``an ndarray``, ``None``."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def call_first(subject: Any, spec: CellSpec, role: str = "") -> Optional[str]:
    """The form of the vectors of a first call; None if the call raises, which is a result of the checks.

    Raises:
        SubjectError: it returns no vectors.
    """
    try:
        returned = _call(subject, list(TEXTS))
    except Exception:  # noqa: BLE001 - as above
        return None
    if not _has_rows(returned):
        key, path = ("query", spec.query) if role == "query" else _name_key(spec)
        raise SubjectError(
            f"subject.{key}: {path} returns {_name(returned)} for {len(TEXTS)} texts, but should return an "
            "array or a list with one vector per text"
        )
    return describe_form(returned)


def _has_rows(returned: Any) -> bool:
    array = hasattr(returned, "dtype") and getattr(returned, "ndim", 0) > 0
    return (array or isinstance(returned, (list, tuple))) and len(returned) > 0


def describe_form(vectors: Any) -> str:
    """The dtype of returned vectors, or what holds them: ``float32``, ``list of lists of floats``.

    A list of arrays has the dtype of these arrays.
    """
    if hasattr(vectors, "dtype"):
        return str(vectors.dtype)
    rows = list(vectors)
    forms = {str(row.dtype) if hasattr(row, "dtype") else _describe_row(row) for row in rows}
    alike = forms.pop() if len(forms) == 1 else "different types"
    return alike if rows and hasattr(rows[0], "dtype") else f"{type(vectors).__name__} of {alike}"


def _describe_row(row: Any) -> str:
    if not isinstance(row, (list, tuple)):
        return f"{type(row).__name__}s"
    return f"{type(row).__name__}s of {type(row[0]).__name__}s" if row else f"empty {type(row).__name__}s"


def return_unchanged(vectors: Any) -> Any:
    """Final vectors (n, d) as they are: the normalizer of a service that normalizes."""
    return vectors


def to_unit(vectors: Any) -> NDArray:
    """Directions (n, d), in their dtype, of the vectors of a service that does not normalize."""
    from harness.cell.comparison import unit_rows  # noqa: PLC0415 - NumPy, only where vectors are

    return unit_rows(vectors).astype(vectors.dtype)


def run_step(step: str, path: str, channel: Channel) -> bool:
    """Call ``setup`` or ``close`` of the subject, if there is one; False, with a report, if it raises."""
    try:
        if path:
            load_dotted(path)()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a service raises
        message = clean(f"{type(error).__name__}: {error}")
        channel.send("step-failed", step=step, path=path, message=message)
        return False
    return True
