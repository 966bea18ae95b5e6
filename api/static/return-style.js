// The look inside the button's shadow root. A constructed sheet: no inline style, so a strict CSP allows it.
// Pages theme it with the --undrop-* variables.

const CSS = `
:host { display: block; color: var(--undrop-ink, CanvasText); font: 15px/1.5 var(--undrop-font, system-ui, sans-serif); font-variant-numeric: tabular-nums; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
p, h2, h3, ol, ul, dl, dd, fieldset { margin: 0; padding: 0; }
:focus-visible { outline: 3px solid var(--undrop-accent, Highlight); outline-offset: 2px; }
[tabindex="-1"]:focus { outline: none; }
.note { color: var(--undrop-quiet, GrayText); font-size: 13.5px; }
.note.told { color: inherit; }
.opener { width: 100%; margin-top: 10px; }
button, select, textarea { font: inherit; color: inherit; }
button { min-height: 44px; padding: 8px 16px; cursor: pointer; border: 1px solid var(--undrop-quiet, ButtonBorder); border-radius: var(--undrop-radius, 6px); background: var(--undrop-card, ButtonFace); }
button.primary { background: var(--undrop-accent, #1f5687); border-color: var(--undrop-accent, #1f5687); color: var(--undrop-on-accent, #fff); }
button:disabled { opacity: 0.55; cursor: default; }
dialog { width: min(520px, calc(100vw - 20px)); max-height: calc(100dvh - 20px); padding: 0; overflow: auto; background: var(--undrop-card, Canvas); color: inherit; border: 1px solid var(--undrop-rule, GrayText); border-radius: 8px; }
dialog::backdrop { background: rgb(10 15 25 / 55%); }
header { position: sticky; top: 0; display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 12px 12px 12px 20px; background: var(--undrop-card, Canvas); border-bottom: 1px solid var(--undrop-rule, GrayText); }
h2 { font-size: 17px; line-height: 1.3; overflow-wrap: anywhere; }
h3 { font-size: 16px; line-height: 1.35; }
.close { min-width: 44px; padding: 8px; border-color: transparent; background: none; }
.body { display: grid; gap: 14px; padding: 16px 20px 20px; }
.body > *, form { min-width: 0; }
form, .screen { display: grid; gap: 14px; }
label.field { display: grid; gap: 4px; font-weight: 600; }
select, textarea { width: 100%; padding: 9px 10px; font-weight: 400; background: var(--undrop-card, Field); border: 1px solid var(--undrop-quiet, GrayText); border-radius: var(--undrop-radius, 6px); }
fieldset { border: 0; display: grid; gap: 6px; min-width: 0; }
legend { padding: 0 0 4px; font-weight: 600; }
.choice { display: flex; gap: 10px; align-items: center; min-height: 44px; padding: 8px 12px; border: 1px solid var(--undrop-rule, GrayText); border-radius: var(--undrop-radius, 6px); cursor: pointer; }
.choice input { flex: none; width: 18px; height: 18px; margin: 0; accent-color: var(--undrop-accent, auto); }
.trouble { display: grid; gap: 4px; padding: 10px 12px; border-left: 3px solid var(--undrop-bad, #a12a22); border-radius: 3px; background: var(--undrop-bad-paper, transparent); overflow-wrap: anywhere; }
.trouble strong { color: var(--undrop-bad, #a12a22); }
.way { padding-left: 12px; border-left: 3px solid var(--undrop-wait, GrayText); overflow-wrap: anywhere; }
.state { font-weight: 600; }
.state::before { content: "○"; display: inline-block; width: 1.4em; }
.state.good { color: var(--undrop-good, inherit); } .state.good::before { content: "●"; }
.state.wait { color: var(--undrop-wait, inherit); } .state.wait::before { content: "◆"; }
.state.bad { color: var(--undrop-bad, inherit); } .state.bad::before { content: "■"; }
.summary { display: grid; gap: 7px; padding: 10px 14px; border: 1px solid var(--undrop-rule, GrayText); border-radius: var(--undrop-radius, 6px); }
.summary dt { color: var(--undrop-quiet, GrayText); font-size: 13px; line-height: 1.4; }
.summary dd { font-weight: 600; line-height: 1.4; overflow-wrap: anywhere; }
.summary .further { display: block; font-weight: 400; font-size: 13.5px; }
.steps { display: grid; gap: 4px; list-style: none; }
.steps li { display: flex; gap: 8px; justify-content: space-between; padding: 7px 0; border-top: 1px solid var(--undrop-rule, GrayText); }
.steps li:first-child { border-top: 0; }
.steps .word { flex: none; color: var(--undrop-quiet, GrayText); font-size: 13.5px; }
.steps .now { font-weight: 600; }
.buttons { display: grid; gap: 8px; }
[role=status]:empty { margin-top: -14px; }
.quiet { color: var(--undrop-quiet, GrayText); font-size: 13.5px; overflow-wrap: anywhere; }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
