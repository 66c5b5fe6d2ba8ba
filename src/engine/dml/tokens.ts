// SQL text as tokens, with how deep each stands in brackets and CASE: enough to cut a statement at its outer keywords. What stands
// between them is never looked into here; it goes to DuckDB's parser. Comments are no tokens. Lexical rules: PostgreSQL's, which
// DuckDB has.
import { MillraceError } from '../../core/errors.ts'
import { placeOf } from '../engine-error.ts'

export interface Token {
  /** `word`: a name or keyword without quotes. */
  readonly kind: 'word' | 'quoted' | 'text' | 'number' | 'parameter' | 'mark'
  readonly text: string
  /** Characters of the statement. */
  readonly start: number
  readonly end: number
  /** 0 outside of all brackets and CASE; an opening bracket and its closing one are as deep as what stands around them. */
  readonly depth: number
}

const SPACE = /\s+/y
const LINE_COMMENT = /--[^\n]*/y
const TEXT = /'(?:[^']|'')*'/y
const ESCAPED_TEXT = /[eE]'(?:[^'\\]|''|\\[\s\S])*'/y
const DOLLAR_TEXT = /\$([\p{L}_][\p{L}\p{N}_]*)?\$[\s\S]*?\$\1\$/uy
const QUOTED = /"(?:[^"]|"")*"/y
const NUMBER = /(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy
const PARAMETER = /\$[\p{L}\p{N}_]+|\?\d*/uy
const OPENING = '([{'
const CLOSING = ')]}'

/** @throws MR_SQL_SYNTAX for brackets and quotes that are not closed, with the place. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  const open: { readonly text: string; readonly start: number }[] = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  const push = (kind: Token['kind'], token: string, depth = open.length): void => {
    tokens.push({ kind, text: token, start: at, end: at + token.length, depth })
    at += token.length
  }
  while (at < text.length) {
    const skipped = match(SPACE) ?? match(LINE_COMMENT)
    if (skipped !== undefined) {
      at += skipped.length
      continue
    }
    if (text.startsWith('/*', at)) {
      at = commentEnd(text, at)
      continue
    }
    const char = text[at]!
    const literal = match(ESCAPED_TEXT) ?? match(TEXT) ?? match(DOLLAR_TEXT)
    if (literal !== undefined) push('text', literal)
    else if (char === "'") throw unfinished(text, at, 'a text')
    else if (char === '"') push('quoted', match(QUOTED) ?? throwing(unfinished(text, at, 'a quoted name')))
    else if (/[\p{L}_]/u.test(char) || match(WORD) !== undefined) pushWord(match(WORD)!)
    else if (/\d/.test(char) || (char === '.' && /\d/.test(text[at + 1] ?? ''))) push('number', match(NUMBER)!)
    else if (char === '$' || char === '?') push('parameter', match(PARAMETER) ?? char)
    else if (OPENING.includes(char)) {
      const opened = { text: char, start: at }
      push('mark', char)
      open.push(opened)
    } else if (CLOSING.includes(char)) {
      const opened = open.pop()
      if (opened?.text !== OPENING[CLOSING.indexOf(char)])
        throw new MillraceError(
          'MR_SQL_SYNTAX',
          `"${char}" closes nothing${placeOf(text, Array.from(text.slice(0, at)).length, 'characters')}`,
          {
            fix: 'check the brackets before it',
          },
        )
      push('mark', char)
    } else push('mark', char)
  }
  const last = open.at(-1)
  if (last) throw unfinished(text, last.start, last.text === 'CASE' ? 'CASE' : `"${last.text}"`)
  return tokens

  function pushWord(word: string): void {
    const upper = word.toUpperCase()
    if (upper === 'END' && open.at(-1)?.text === 'CASE') {
      open.pop()
      push('word', word)
      return
    }
    const start = at
    push('word', word)
    if (upper === 'CASE') open.push({ text: 'CASE', start })
  }
}

/** Comments stand in one another. */
function commentEnd(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text.startsWith('/*', at)) {
      depth++
      at++
    } else if (text.startsWith('*/', at)) {
      at++
      if (--depth === 0) return at + 1
    }
  }
  throw unfinished(text, start, 'a comment')
}

function throwing(error: Error): never {
  throw error
}

const unfinished = (text: string, at: number, what: string): MillraceError =>
  new MillraceError('MR_SQL_SYNTAX', `${what} is not closed${placeOf(text, Array.from(text.slice(0, at)).length, 'characters')}`, {
    fix: 'check the SQL from that place on',
  })

/** Whether a token is this keyword (upper case) outside of all brackets. */
export const isWord = (token: Token | undefined, ...words: readonly string[]): boolean =>
  token?.kind === 'word' && token.depth === 0 && words.includes(token.text.toUpperCase())

/** The name that a token stands for; undefined for what is no name. Names are compared without regard to case. */
export const nameOf = (token: Token | undefined): string | undefined => {
  if (token?.kind === 'word') return token.text
  return token?.kind === 'quoted' ? token.text.slice(1, -1).replaceAll('""', '"') : undefined
}

/** Their text, without the comments between them. */
export function textOf(tokens: readonly Token[]): string {
  let whole = ''
  for (const [index, token] of tokens.entries()) {
    const before = index === 0 ? token.start : tokens[index - 1]!.end
    whole += token.start > before ? ` ${token.text}` : token.text
  }
  return whole
}
