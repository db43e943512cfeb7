"""Who imports whom: the rooms of the house, their order, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sk_imbalance_nn

PACKAGE = Path(sk_imbalance_nn.__file__).parent
NAME = "sk_imbalance_nn"
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
NUMERICAL = {"numpy", "scipy", "sklearn", "imblearn"}
SCIKERAS_FILE = "wrapping/routing.py"

# Each room: the other rooms that it may import, and the libraries beside the standard one.
ROOMS = {
    "__init__": (set(), set()),
    "_compat": (set(), {"numpy", "sklearn", "keras", "tensorflow"}),
    "_fit_tasks": ({"_compat"}, set()),
    "_representation": (set(), set()),
    "_start_up": (set(), {"tensorflow"}),
    "data": ({"_compat"}, NUMERICAL),
    "balancing": ({"_compat"}, NUMERICAL),
    "decisions": ({"_compat", "_fit_tasks"}, NUMERICAL),
    "networks": ({"_compat", "_start_up", "data", "balancing", "decisions"}, NUMERICAL | {"keras"}),
    "losses": ({"_compat", "data", "balancing", "decisions", "networks"}, NUMERICAL | {"keras"}),
    "training": (
        {"_compat", "_start_up", "data", "balancing", "networks"},
        NUMERICAL | {"keras", "tensorflow"},
    ),
    "wrapping": (
        {"__init__", "_compat", "_fit_tasks"}
        | {"data", "balancing", "networks", "losses", "training"},
        NUMERICAL | {"keras", "tensorflow", "scikeras"},
    ),
    "classifier": (
        {"_compat", "_fit_tasks", "_representation", "data", "balancing", "networks"}
        | {"losses", "training", "wrapping"},
        NUMERICAL | {"keras", "tensorflow"},
    ),
    "threshold": (
        {"_compat", "_fit_tasks", "_representation", "data", "balancing", "decisions"},
        NUMERICAL,
    ),
    "reporting": ({"_compat", "data", "balancing", "decisions"}, NUMERICAL),
    "report": ({"_compat", "data", "balancing", "decisions", "reporting"}, NUMERICAL),
    "plotting": ({"_compat", "decisions", "reporting"}, NUMERICAL | {"matplotlib"}),
}


def room_of(file):
    return Path(file).parts[0].removesuffix(".py")


def imports(tree):
    """Yield (module, names, whether it runs on import) of each import that is no type hint."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], id(node) not in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used"
            yield node.module, [alias.name for alias in node.names], id(node) not in inside


def modules_imported(module, names):
    """Return the package's files that an import names."""
    if module != NAME and not module.startswith(f"{NAME}."):
        return []
    path = module.removeprefix(NAME).lstrip(".").replace(".", "/")
    below = [f"{path}/{name}.py".lstrip("/") for name in names]
    found = [file for file in below if file in FILES]
    direct = [f"{path}.py", f"{path}/__init__.py".lstrip("/")]
    return found or [file for file in direct if file in FILES]


IMPORTS = {name: list(imports(tree)) for name, tree in TREES.items()}


def test_every_file_stands_in_a_room():
    assert {room_of(file) for file in FILES} <= set(ROOMS)


@pytest.mark.parametrize("file", FILES)
def test_rooms_import_only_the_rooms_below_them(file):
    room = room_of(file)
    allowed = ROOMS[room][0] | {room}
    for module, names, _ in IMPORTS[file]:
        for imported in modules_imported(module, names):
            assert room_of(imported) in allowed, f"{file} imports {imported}"


@pytest.mark.parametrize("file", FILES)
def test_rooms_import_only_their_libraries(file):
    for module, *_ in IMPORTS[file]:
        library = module.split(".")[0]
        if library not in sys.stdlib_module_names and library != NAME:
            assert library in ROOMS[room_of(file)][1], f"{file} imports {module}"


def test_one_file_imports_scikeras():
    found = {
        file for file in FILES for module, *_ in IMPORTS[file] if module.startswith("scikeras")
    }
    assert found == {SCIKERAS_FILE}


@pytest.mark.parametrize("file", [file for file in FILES if file != "_compat.py"])
def test_private_names_of_other_libraries_stay_in_one_file(file):
    for module, names, _ in IMPORTS[file]:
        if module.split(".")[0] in (*sys.stdlib_module_names, NAME):
            continue
        parts = [*module.split("."), *names]
        private = [part for part in parts if part.startswith("_") or part in ("src", "python")]
        assert not private, f"{file} imports {private} from {module}"


def test_nothing_heavy_loads_when_the_private_names_do():
    loaded = {module.split(".")[0] for module, _, at_import in IMPORTS["_compat.py"] if at_import}
    assert not loaded & {"keras", "tensorflow"}


def test_there_are_no_circles():
    graph = {
        file: {
            imported
            for module, names, at_import in found
            if at_import
            for imported in modules_imported(module, names)
        }
        for file, found in IMPORTS.items()
    }
    done = set()

    def visit(file, path):
        assert file not in path, " -> ".join([*path, file])
        if file not in done:
            for imported in graph[file]:
                visit(imported, [*path, file])
            done.add(file)

    for file in graph:
        visit(file, [])


def modules_loaded_by(code):
    script = f"{code}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_no_network_library():
    rooms = {
        *("__init__", "_compat", "data", "balancing", "decisions", "threshold"),
        *("report", "reporting"),
    }
    modules = [
        f"{NAME}.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
        for file in FILES
        if room_of(file) in rooms
    ]
    loaded = modules_loaded_by("\n".join(f"import {module}" for module in modules))
    assert not loaded & {"tensorflow", "keras", "scikeras", "matplotlib"}
