/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, useState } from "@odoo/owl";
import { Dialog } from "@web/core/dialog/dialog";

/** Asks why a sign-off is withdrawn. */
export class RampWithdrawDialog extends Component {
    static template = "ramp_connector.WithdrawDialog";
    static components = { Dialog };
    static props = { text: String, confirm: Function, close: Function };

    setup() {
        this.state = useState({ reason: "" });
    }

    async withdraw() {
        await this.props.confirm(this.state.reason);
        this.props.close();
    }
}
