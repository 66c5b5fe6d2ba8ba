// Text with a few spans replaced, and the way back from a position in the new text to the old one.

export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

export interface Edited {
  readonly text: string
  /** Position in the old text; the start of the span for positions inside a replacement. */
  original(position: number): number
}

/** Applies edits that do not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): Edited {
  const ordered = edits.toSorted((a, b) => a.start - b.start)
  let result = ''
  let done = 0
  for (const edit of ordered) {
    result += text.slice(done, edit.start) + edit.text
    done = edit.end
  }
  return { text: result + text.slice(done), original: (position) => originalOf(ordered, position) }
}

function originalOf(edits: readonly Edit[], position: number): number {
  let shift = 0
  for (const edit of edits) {
    const start = edit.start + shift
    if (position < start) break
    if (position < start + edit.text.length) return edit.start
    shift += edit.text.length - (edit.end - edit.start)
  }
  return position - shift
}

const OPAQUE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$\$[\s\S]*?\$\$|\$\d+|[()]/g

/** Spans of `$n` outside of strings, names and comments. */
export function parameterSpans(text: string): readonly { readonly start: number; readonly end: number }[] {
  return [...text.matchAll(OPAQUE)]
    .filter((match) => /^\$\d/.test(match[0]))
    .map((match) => ({ start: match.index, end: match.index + match[0].length }))
}

/** End of the call that starts at `start`: behind the parenthesis that closes its first one. */
export function callEnd(text: string, start: number): number {
  let depth = 0
  for (const match of text.slice(start).matchAll(OPAQUE)) {
    if (match[0] === '(') depth++
    if (match[0] === ')' && --depth === 0) return start + match.index + 1
  }
  return text.length
}
