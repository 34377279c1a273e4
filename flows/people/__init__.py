# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    place,
    department,
    location,
    person,
    person_resolve,
    person_send,
    employee,
    user,
)
