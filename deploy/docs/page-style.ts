/** The look of the reference page: readable on a phone, dark where the reader likes it dark. */
export const pageStyle = `
:root { color-scheme: light dark; --line: #8884; --accent: light-dark(#0b57d0, #8ab4f8); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; display: flex; }
nav { width: 17rem; height: 100vh; overflow: auto; position: sticky; top: 0; flex: none; padding: 1rem; box-sizing: border-box; border-right: 1px solid var(--line); }
nav ul { list-style: none; padding-left: 1rem; margin: 0; }
nav p { margin: .6rem 0 .2rem; }
main { padding: 1rem 2rem 8rem; max-width: 60rem; min-width: 0; }
a { color: var(--accent); text-decoration: none; }
h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; }
section { margin: 1.5rem 0; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { overflow: auto; padding: .5rem 1rem; border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .3rem .6rem; vertical-align: top; }
td p { margin: 0; }
small { opacity: .7; overflow-wrap: anywhere; }
.call { margin: 0; }
.policy { padding: 0; display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; }
.policy li { border: 1px solid var(--line); border-radius: 9px; padding: 0 .6rem; font-size: 13px; }
@media (max-width: 50rem) { body { display: block; } nav { width: auto; height: auto; position: static; border: 0; } nav ul { display: none; } main { padding: 1rem; } }
`;
