# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
{
    'name': 'Ramp Connector',
    'version': '19.0.1.3.0',
    'category': 'Accounting/Accounting',
    'summary': 'Ramp card spend, bills and reimbursements in Odoo: exactly once, posted, paid, confirmed, and tied out to the cent',
    'author': 'Ramp Connector contributors',
    'website': 'https://github.com/ramp-connector/ramp_connector',
    'license': 'LGPL-3',
    'development_status': 'Beta',
    'depends': ['hr_expense'],
    'external_dependencies': {'python': ['requests']},
    'data': [
        'security/ramp_security.xml',
        'security/ir.model.access.csv',
        'data/ramp_data.xml',
        'data/ir_cron.xml',
        'wizard/ramp_record_ignore_views.xml',
        'views/ramp_record_views.xml',
        'views/ramp_run_views.xml',
        'views/ramp_connection_views.xml',
        'views/hr_expense_views.xml',
        'views/account_move_views.xml',
        'views/account_payment_views.xml',
        'views/hr_employee_views.xml',
        'views/ramp_pushed_views.xml',
        'views/ramp_menus.xml',
    ],
    'assets': {
        'web.assets_backend': [
            'ramp_connector/static/src/**/*',
        ],
        'web.assets_tests': [
            'ramp_connector/static/tests/tours/**/*',
        ],
    },
    'images': ['static/description/banner.png'],
    'uninstall_hook': 'uninstall_hook',
}
