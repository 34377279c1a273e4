/** @odoo-module **/
// License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import { Component, onWillStart, onWillUnmount, onWillUpdateProps, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const FIELDS = ["run_state", "progress", "progress_text"];
const INTERVAL = 1500; // milliseconds between two looks while something runs

/** Progress of the running synchronization, looked at again for as long as it runs, without blocking the page. */
export class RampProgress extends Component {
    static template = "ramp_connector.RampProgress";
    static props = { ...standardFieldProps };

    setup() {
        this.orm = useService("orm");
        this.state = useState({ run_state: this.props.record.data[this.props.name], progress: 0, text: "" });
        onWillStart(() => this.look());
        onWillUpdateProps((next) => {
            if (next.record.data[next.name] !== "idle" && this.state.run_state === "idle") {
                return this.look(next);
            }
        });
        onWillUnmount(() => {
            this.gone = true;
            clearTimeout(this.timer);
        });
    }

    get label() {
        return this.state.run_state === "queued" ? _t("Synchronization queued...") : this.state.text;
    }

    get percent() {
        return Math.round(this.state.progress);
    }

    async look(props = this.props) {
        const id = props.record.resId;
        if (!id || this.gone) {
            return;
        }
        const [values] = await this.orm.silent.read("ramp.connection", [id], FIELDS);
        const before = this.state.run_state;
        Object.assign(this.state, { run_state: values.run_state, progress: values.progress, text: values.progress_text || "" });
        clearTimeout(this.timer);
        if (values.run_state !== "idle") {
            this.timer = setTimeout(() => this.look(), INTERVAL);
        } else if (before && before !== "idle" && !this.gone && !(await props.record.isDirty())) {
            await props.record.load(); // the counts and the last error have changed
        }
    }
}

registry.category("fields").add("ramp_progress", {
    component: RampProgress,
    displayName: _t("Ramp synchronization progress"),
    supportedTypes: ["selection"],
});
