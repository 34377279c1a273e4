"""List the lines of the addon that can be broken, and how. The operators are those of cosmic-ray.

Changes that no test can be expected to notice are left out: texts, logging, annotations, caches, field attributes that
only matter to an upgrade or to a reader, and the simulator's seed data. If an operator has several variants for a
place, one or two are used.
"""

import ast
import dataclasses
import difflib
import random
import re
from pathlib import Path

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOMS = ('ramp_api', 'flows', 'models', 'controllers', 'report', 'wizard', 'simulator', 'hooks.py')
COMPARISONS = (
    'Eq_NotEq',
    'NotEq_Eq',
    'Lt_LtE',
    'Lt_GtE',
    'LtE_Lt',
    'LtE_Gt',
    'Gt_GtE',
    'Gt_LtE',
    'GtE_Gt',
    'GtE_Lt',
    'Is_IsNot',
    'IsNot_Is',
)
BINARIES = ('Add_Sub', 'Sub_Add', 'Mul_Div', 'Div_Mul', 'FloorDiv_Mul', 'Mod_FloorDiv', 'BitOr_BitAnd', 'BitAnd_BitOr')
OPERATORS = {
    name: plugins.get_operator(f'core/{name}')()
    for name in (
        *(f'ReplaceComparisonOperator_{pair}' for pair in COMPARISONS),
        *(f'ReplaceBinaryOperator_{pair}' for pair in BINARIES),
        'ReplaceUnaryOperator_Delete_Not',
        'ReplaceUnaryOperator_Delete_USub',
        'AddNot',
        'ReplaceTrueWithFalse',
        'ReplaceFalseWithTrue',
        'ReplaceAndWithOr',
        'ReplaceOrWithAnd',
        'ReplaceBreakWithContinue',
        'ReplaceContinueWithBreak',
        'ExceptionReplacer',
        'NumberReplacer',
        'RemoveDecorator',
        'ZeroIterationForLoop',
    )
}
ARITHMETIC = ('arith_expr', 'term', 'expr', 'and_expr')  # elsewhere, `*` and `**` unpack
TALK = re.compile(r'(_logger|logging|warnings)\s*\.|(say|print|_|_lt|self\.env\._|env\._)\s*\(')
# Texts for people, and attributes that only matter to an upgrade. The tests do not upgrade the addon.
SILENT = {'string', 'help', 'index', 'required', 'size', 'group_operator', 'aggregator'}

# `api.model` only matters to remote calls.
IDLE = re.compile(r'@(tools\.)?ormcache|@(functools\.)?(lru_cache|cache|wraps)\b|@api\.model$')
SEEDS = 'simulator/seed'


@dataclasses.dataclass(frozen=True, order=True)
class CodeMutant:
    """One way to break one place. occurrence: the operator's index in the file, as cosmic-ray counts."""

    path: str
    line: int
    operator: str
    occurrence: int

    def __str__(self):
        return f'{self.path}:{self.line}:{self.operator}#{self.occurrence}'

    def build_broken_code(self, source):
        """Return the broken file. Return None if it is the same program or not a valid one."""
        broken = mutate_code(source, OPERATORS[self.operator], self.occurrence)
        try:
            same = broken is None or ast.dump(ast.parse(broken)) == ast.dump(ast.parse(source))
        except SyntaxError:
            return None
        return None if same else broken

    def build_code_diff(self, source):
        lines = difflib.unified_diff(
            source.splitlines(), self.build_broken_code(source).splitlines(), self.path, self.path, n=1, lineterm=''
        )
        return '\n'.join(lines)


def list_breakable_files(checkout, only=()):
    """Return the paths of the files to break, relative to the addon's folder."""
    found = [
        path
        for room in ROOMS
        for path in ([checkout / room] if room.endswith('.py') else sorted((checkout / room).rglob('*.py')))
    ]
    names = [str(path.relative_to(checkout)) for path in found if path.name != '__main__.py']
    if only:
        return [name for name in names if any(Path(name).is_relative_to(part) for part in only)]
    return [name for name in names if not name.startswith(SEEDS)]


def _is_noticeable_change(name, node):
    """Return whether a test could notice a change at this place."""
    parent = node.parent
    if name.startswith('ReplaceBinary'):
        if (
            parent is None
            or parent.type not in ARITHMETIC
            or {'string', 'strings', 'fstring'} & {child.type for child in parent.children}
        ):
            return False
    if name == 'RemoveDecorator' and IDLE.match(node.get_code(include_prefix=False).strip()):
        return False
    below = node
    while parent is not None:
        if parent.type in ('fstring', 'annassign', 'tfpdef'):
            return False
        if parent.type == 'funcdef' and below is parent.annotation:
            return False
        if parent.type == 'argument' and parent.children[0].type == 'name' and parent.children[0].value in SILENT:
            return False
        if parent.type in ('atom_expr', 'power') and TALK.match(parent.get_code(include_prefix=False)):
            return False
        below, parent = parent, parent.parent
    return True


def list_file_mutants(path, source):
    """Return all mutants of a file, in order."""
    counts = dict.fromkeys(OPERATORS, 0)
    found = []
    for node in ast_nodes(get_ast(source)):
        for name, operator in OPERATORS.items():
            for start, _end in operator.mutation_positions(node):
                if _is_noticeable_change(name, node):
                    found.append(CodeMutant(path, start[0], name, counts[name]))
                counts[name] += 1
    return sorted(found)


def choose_mutant_sample(candidates, sources, count, seed):
    """Return this many of them, always the same for a seed."""
    order = sorted(candidates)
    random.Random(seed).shuffle(order)
    chosen = []
    for mutant in order:
        if len(chosen) == count:
            break
        if mutant.build_broken_code(sources[mutant.path]):
            chosen.append(mutant)
    return chosen
