// The code editor: Python, the critic's findings in the gutter, read-only until the user wants to edit.
import { python } from "@codemirror/lang-python";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { unifiedMergeView } from "@codemirror/merge";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";
import { basicSetup } from "codemirror";

const look = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "transparent", color: "hsl(var(--foreground))" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.55", maxHeight: "var(--mw-editor-height, 380px)", overflow: "auto" },
  ".cm-gutters": { backgroundColor: "hsl(var(--muted) / .35)", color: "hsl(var(--muted-foreground) / .7)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "hsl(var(--muted) / .45)" },
  ".cm-cursor": { borderLeftColor: "hsl(var(--primary))" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "hsl(var(--primary) / .25) !important" },
  ".cm-tooltip": { backgroundColor: "hsl(var(--popover))", color: "hsl(var(--popover-foreground))", border: "1px solid hsl(var(--border))", borderRadius: "8px" },
  ".cm-deletedChunk": { backgroundColor: "hsl(var(--destructive) / .12)" },
  ".cm-collapsedLines": { background: "hsl(var(--muted)) !important", color: "hsl(var(--muted-foreground)) !important" },
  ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: '""', margin: 0 },
  ".cm-changedLine": { backgroundColor: "hsl(var(--primary) / .10) !important" },
});

const ink = HighlightStyle.define([
  { tag: [t.keyword, t.controlKeyword, t.operatorKeyword, t.definitionKeyword, t.moduleKeyword], color: "var(--mw-code-keyword)" },
  { tag: [t.string, t.special(t.string)], color: "var(--mw-code-string)" },
  { tag: [t.number, t.bool, t.null], color: "var(--mw-code-number)" },
  { tag: [t.comment, t.docString], color: "var(--mw-code-comment)", fontStyle: "italic" },
  { tag: [t.function(t.variableName), t.function(t.definition(t.variableName)), t.className, t.definition(t.className)], color: "var(--mw-code-function)" },
  { tag: [t.meta, t.self], color: "var(--mw-code-meta)" },
]);

/** {root, text(), edit(on), findings(list), jump(line)}; `original` shows the changes against it. */
export function codeEditor(text, { original } = {}) {
  const editable = new Compartment();
  const locked = [EditorState.readOnly.of(true), EditorView.editable.of(false)];
  const view = new EditorView({
    state: EditorState.create({
      doc: text,
      extensions: [
        basicSetup,
        python(),
        syntaxHighlighting(ink),
        look,
        lintGutter(),
        editable.of(locked),
        original === undefined ? [] : unifiedMergeView({ original, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 6 } }),
        EditorView.contentAttributes.of({ "aria-label": "Training script" }),
      ],
    }),
  });
  return {
    root: view.dom,
    text: () => view.state.doc.toString(),
    reset: (value) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } }),
    edit: (on) => {
      view.dispatch({ effects: editable.reconfigure(on ? [] : locked) });
      if (on) view.focus();
    },
    findings: (list) => view.dispatch(setDiagnostics(view.state, list.map((finding) => diagnostic(view.state.doc, finding)))),
    jump: (line) => {
      const place = view.state.doc.line(Math.min(Math.max(1, line), view.state.doc.lines));
      view.dispatch({ selection: { anchor: place.from }, effects: EditorView.scrollIntoView(place.from, { y: "center" }) });
      view.focus();
    },
  };
}

function diagnostic(doc, finding) {
  const line = doc.line(Math.min(Math.max(1, finding.line || 1), doc.lines));
  const severity = { note: "info", warning: "warning", error: "error", security: "error" }[finding.severity] ?? "info";
  return { from: line.from, to: line.to, severity, message: `${finding.rule}: ${finding.sentence}` };
}
