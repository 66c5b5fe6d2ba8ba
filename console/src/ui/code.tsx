// SQL and TypeScript text with the few colours of the tokens: keywords, strings, numbers, comments, functions. Read-only and
// small; the editor on the SQL page is CodeMirror.

const WORD =
  /(--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*'|"(?:[^"])*")|(\$\{[^}]*\})|\b(\d+(?:\.\d+)?)\b|\b(SELECT|FROM|JOIN|LEFT|RIGHT|FULL|INNER|OUTER|CROSS|ON|USING|WHERE|GROUP|BY|ORDER|HAVING|LIMIT|AS|AND|OR|NOT|NULL|IS|IN|BETWEEN|LIKE|CASE|WHEN|THEN|ELSE|END|WITH|UNION|ALL|DISTINCT|INTERVAL|DATE|TIMESTAMP|DESC|ASC|OVER|PARTITION|FILTER|QUALIFY|ROWS|RANGE|TRUE|FALSE|CAST)\b|\b([a-z_]\w*)(?=\()/gi
const CLASSES = ['cm', 's', '', 'nn', 'k', 'f']

export function Code({ text }: { readonly text: string }) {
  const out: { text: string; className: string; at: number }[] = []
  let last = 0
  for (const match of text.matchAll(WORD)) {
    if (match.index > last) out.push({ text: text.slice(last, match.index), className: '', at: last })
    const group = match.slice(1).findIndex((part) => part !== undefined)
    out.push({ text: match[0], className: CLASSES[group] ?? '', at: match.index })
    last = match.index + match[0].length
  }
  out.push({ text: text.slice(last), className: '', at: last })
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls sideways must be reachable by keyboard
    <pre className="code" tabIndex={0}>
      {out.map((part) =>
        part.className === '' ? (
          part.text
        ) : (
          <span key={part.at} className={part.className}>
            {part.text}
          </span>
        ),
      )}
    </pre>
  )
}
