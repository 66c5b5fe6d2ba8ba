// The SQL editor: CodeMirror with DuckDB's keywords, completion from the catalog that the caller may see, colours from the
// tokens. Ctrl Enter runs.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { PostgreSQL, SQLDialect, sql } from '@codemirror/lang-sql'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'

const DuckDB = SQLDialect.define({
  ...PostgreSQL.spec,
  // Words that are names of columns far more often than keywords.
  keywords: `${(PostgreSQL.spec.keywords ?? '').replace(/\b(year|month|day|hour|minute|second|name|type|source|data|value|location|zone|level|state)\b/g, '')} qualify pivot unpivot asof positional sample exclude replace macro describe summarize semi anti`,
  types: `${PostgreSQL.spec.types ?? ''} hugeint tinyint ubigint uinteger usmallint utinyint double varchar blob map struct list`,
})

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.typeName], color: 'var(--code-key)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--code-str)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-num)' },
  { tag: [tags.comment, tags.lineComment, tags.blockComment], color: 'var(--code-com)' },
  { tag: [tags.function(tags.variableName), tags.standard(tags.name)], color: 'var(--code-fn)' },
])

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '12.5px', color: 'var(--text)', backgroundColor: 'var(--bg)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '21px', fontFeatureSettings: '"calt" 0' },
  '.cm-content': { padding: '10px 0', caretColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--bg)', color: 'var(--text-3)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '40px', padding: '0 14px 0 0', textAlign: 'right' },
  '.cm-activeLine': { backgroundColor: 'var(--bg-hover)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--bg-hover)', color: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': { backgroundColor: 'var(--bg-selected)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--bg-raised)',
    border: '1px solid var(--line)',
    borderRadius: '6px',
    boxShadow: 'var(--shadow-pop)',
    color: 'var(--text)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--bg-selected)', color: 'var(--text)' },
  '.cm-matchingBracket': { backgroundColor: 'var(--accent-soft) !important', outline: 'none' },
})

export interface EditorProps {
  readonly text: string
  readonly onChange: (text: string) => void
  readonly onRun: () => void
  /** Column names of each relation. */
  readonly catalog: Readonly<Record<string, readonly string[]>>
}

const language = (catalog: EditorProps['catalog']) =>
  sql({
    dialect: DuckDB,
    schema: Object.fromEntries(Object.entries(catalog).map(([name, columns]) => [name, [...columns]])),
    upperCaseKeywords: true,
  })

export default function Editor({ text, onChange, onRun, catalog }: EditorProps) {
  const box = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const latest = useRef({ onChange, onRun })
  latest.current = { onChange, onRun }
  const slot = useRef(new Compartment())

  // biome-ignore lint/correctness/useExhaustiveDependencies: one editor for the life of the page; text and catalog follow below
  useEffect(() => {
    if (box.current === null) return
    const runLatest = (): boolean => {
      latest.current.onRun()
      return true
    }
    const editor = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          keymap.of([{ key: 'Mod-Enter', preventDefault: true, run: runLatest }]),
          lineNumbers(),
          history(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false }),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
          syntaxHighlighting(colours),
          look,
          slot.current.of(language(catalog)),
          EditorView.contentAttributes.of({ 'aria-label': 'SQL' }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString())
          }),
        ],
      }),
    })
    view.current = editor
    return () => editor.destroy()
  }, [])

  useEffect(() => {
    const editor = view.current
    if (editor === null || editor.state.doc.toString() === text) return
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text } })
  }, [text])

  const names = JSON.stringify(catalog)
  // biome-ignore lint/correctness/useExhaustiveDependencies: `names` is the catalog
  useEffect(() => {
    view.current?.dispatch({ effects: slot.current.reconfigure(language(catalog)) })
  }, [names])

  return <div ref={box} />
}
