"""What a simulator is put back to: all that a test may change, of each of its parts.

Left out is what runs, and what the parts are to each other. Whatever is added to a part later is remembered by itself.
"""

import copy

LEFT_OUT = {
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
AS_IT_IS = {'contract'}  # large, and nobody changes what is in it


def _copy_value(name, value):
    if callable(value) or name in AS_IT_IS:
        return value
    if isinstance(value, list) and any(map(callable, value)):  # hooks: a copy of one would be another one
        return list(value)
    return copy.deepcopy(value)


def remember_part(part):
    return {name: _copy_value(name, value) for name, value in vars(part).items() if name not in LEFT_OUT}


def put_back(part, memory):
    for name in set(vars(part)) - set(memory) - LEFT_OUT:
        delattr(part, name)
    vars(part).update({name: _copy_value(name, value) for name, value in memory.items()})
