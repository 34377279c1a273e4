"""`./dev house`: figures on how easy the code is to read. They are information, not a gate.

Standard library only. Everything is read from the syntax tree, and nothing is imported.
"""

import ast
import collections
import re
import statistics
import sys

from runtime import CHECKOUT

ROOMS = ('flows', 'models', 'ramp_api', 'controllers', 'report', 'wizard', 'simulator', 'tools', 'tests')
PRODUCTION = ('flows', 'models', 'ramp_api', 'controllers', 'report', 'wizard')
LONGEST_FILE = 500  # lines
LONGEST_FLOW = 400  # lines per file in flows, as the formatter spreads them
DEEPEST = 3  # levels from a flow to its first ancestor in the addon
WORDS = 2.7  # average words per function name
DUNDER = re.compile(r'^__\w+__$')


class SourceFile:
    """A file of the project, parsed once."""

    def __init__(self, path):
        self.path = path.relative_to(CHECKOUT)
        self.room = self.path.parts[0]
        text = path.read_text(encoding='utf-8')
        self.lines = len(text.splitlines())
        self.tree = ast.parse(text)

    @property
    def all_functions(self):
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @property
    def top_classes(self):
        return [node for node in self.tree.body if isinstance(node, ast.ClassDef)]


def read_source_files():
    """Return a `SourceFile` for each Python file of the rooms."""
    return [SourceFile(path) for room in ROOMS for path in sorted((CHECKOUT / room).rglob('*.py'))]


# -- measurements


def count_name_words(name):
    """Return the number of words between the underscores of a name."""
    return len([word for word in re.split(r'_+', name) if word])


def list_named_functions(found):
    """Return the functions whose names were chosen freely, not prescribed by Python, Odoo or pytest."""
    return [
        function
        for source in found
        for function in source.all_functions
        if not DUNDER.match(function.name)
        and function.name not in ('create', 'write', 'unlink', 'setUp', 'setUpClass', 'main')
    ]


def read_class_constant(node, name):
    """Return the value of a class attribute if it is a literal."""
    for statement in node.body:
        if isinstance(statement, ast.Assign) and [getattr(target, 'id', None) for target in statement.targets] == [
            name
        ]:
            try:
                return ast.literal_eval(statement.value)
            except ValueError:
                return None
    return None


def map_model_parents(found):
    """Return {model: [models it inherits]} for the models of the addon. Other ancestors are left out."""
    parents = {}
    for source in found:
        for node in source.top_classes:
            name, inherited = read_class_constant(node, '_name'), read_class_constant(node, '_inherit') or []
            inherited = [inherited] if isinstance(inherited, str) else list(inherited)
            if name:
                parents.setdefault(name, []).extend(parent for parent in inherited if parent != name)
    return {name: [parent for parent in inherited if parent in parents] for name, inherited in parents.items()}


def measure_model_depth(name, parents):
    """Return the number of levels from a model to its furthest ancestor; 1 without ancestors."""
    return 1 + max((measure_model_depth(parent, parents) for parent in parents[name]), default=0)


def list_loaded_imports(source):
    """Return the project modules that a file imports when it is loaded, as paths without suffix."""
    package = source.path.parent
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package
            for _level in range(node.level - 1):
                base = base.parent
            base = base / (node.module or '').replace('.', '/')
            for alias in node.names:
                yield base / alias.name
            yield base


def find_import_circles(found):
    """Return the sets of modules that import each other (Tarjan's strongly connected components of two or more)."""
    modules = {source.path.with_suffix(''): source for source in found if source.path.name != '__init__.py'}
    graph = {
        name: sorted({target for target in list_loaded_imports(source) if target in modules and target != name})
        for name, source in modules.items()
    }
    index, low, stack, found_circles = {}, {}, [], []

    def visit_module(name):
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in graph[name]:
            if target not in index:
                visit_module(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            members = []
            while not members or members[-1] != name:
                members.append(stack.pop())
            if len(members) > 1:
                found_circles.append(sorted(map(str, members)))

    for name in graph:
        if name not in index:
            visit_module(name)
    return found_circles


def list_parameter_names(function):
    """Return the names of a function's parameters without `self` and `cls`, as a tuple."""
    arguments = function.args
    return tuple(
        argument.arg
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        if argument.arg not in ('self', 'cls')
    )


def find_several_meanings(found):
    """Return {name: signatures} of methods that models of the addon define with different parameters."""
    signatures = collections.defaultdict(lambda: collections.defaultdict(list))
    for source in found:
        for node in source.top_classes:
            model = read_class_constant(node, '_name') or read_class_constant(node, '_inherit')
            if not isinstance(model, str):
                continue
            for function in node.body:
                if isinstance(function, ast.FunctionDef) and not DUNDER.match(function.name):
                    signatures[function.name][list_parameter_names(function)].append(model)
    own = {name for name in signatures if len(signatures[name]) > 1}
    return {
        name: {', '.join(signature) or '-': sorted(models) for signature, models in signatures[name].items()}
        for name in sorted(own)
    }


def count_function_lines(function):
    return function.end_lineno - function.lineno + 1


# -- output


def main():
    found = read_source_files()
    of_room = collections.defaultdict(list)
    for source in found:
        of_room[source.room].append(source)
    parents = map_model_parents(found)

    print(f'{"room":<12} {"files":>5} {"lines":>6} {"words/name":>10} {"method p95":>10} {"longest":>7}')
    for room in ROOMS:
        functions = list_named_functions(of_room[room])
        lengths = sorted(map(count_function_lines, functions)) or [0]
        print(
            f'{room:<12} {len(of_room[room]):>5} {sum(source.lines for source in of_room[room]):>6} '
            f'{statistics.mean([count_name_words(function.name) for function in functions] or [0]):>10.2f} '
            f'{lengths[int(len(lengths) * 0.95) - 1]:>10} {lengths[-1]:>7}'
        )
    print(f'goal of words/name in flows and ramp_api: {WORDS}')

    print(f'\nproduction files over {LONGEST_FILE} lines:')
    print_indented_lines(
        f'{source.path}: {source.lines}'
        for source in found
        if source.room in PRODUCTION and source.lines > LONGEST_FILE
    )
    print(f'\nflows over {LONGEST_FLOW} lines:')
    print_indented_lines(
        f'{source.path}: {source.lines}' for source in found if source.room == 'flows' and source.lines > LONGEST_FLOW
    )
    print(f'\nother files over {LONGEST_FILE} lines (simulator, tools):')
    print_indented_lines(
        f'{source.path}: {source.lines}'
        for source in found
        if source.room in ('simulator', 'tools') and source.lines > LONGEST_FILE
    )
    print(f'\nmodels more than {DEEPEST} deep:')
    print_indented_lines(
        f'{name}: {measure_model_depth(name, parents)}'
        for name in sorted(parents)
        if name.startswith('ramp.') and measure_model_depth(name, parents) > DEEPEST
    )
    print('\nmodules that import each other:')
    print_indented_lines(' <-> '.join(circle) for circle in find_import_circles(found))
    print('\nnames of methods with several signatures:')
    print_indented_lines(
        f'{name}: ' + ' | '.join(f'({signature}) {len(models)}' for signature, models in signatures.items())
        for name, signatures in find_several_meanings([source for source in found if source.room in PRODUCTION]).items()
    )
    return 0


def print_indented_lines(lines):
    lines = list(lines)
    print('\n'.join(f'  {line}' for line in lines) if lines else '  none')


if __name__ == '__main__':
    sys.exit(main())
