"""Snapshots of the simulator's parts: all attributes that a test may change.

Running threads and references between the parts are left out. New attributes are included automatically.
"""

import copy

LEFT_OUT_NAMES = {
    'ramp',
    'state',
    'faults',
    'rate',
    'webhooks',
    '_server',
    '_stopping',
    '_urls',
    '_thread',
    '_wake',
    '_sending',
    '_lock',
}
IMMUTABLE_NAMES = {'contract'}  # large and immutable


def _copy_part_value(name, value):
    if callable(value) or name in IMMUTABLE_NAMES:
        return value
    if isinstance(value, list) and any(map(callable, value)):  # hooks: a deep copy of one would be another object
        return list(value)
    return copy.deepcopy(value)


def remember_part(part):
    return {name: _copy_part_value(name, value) for name, value in vars(part).items() if name not in LEFT_OUT_NAMES}


def restore_part(part, memory):
    for name in set(vars(part)) - set(memory) - LEFT_OUT_NAMES:
        delattr(part, name)
    vars(part).update({name: _copy_part_value(name, value) for name, value in memory.items()})
