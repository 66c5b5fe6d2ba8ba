// What a regular expression cannot do without: bytes are searched for it before they are decoded and matched, as most do not have it.

/** A character, an escape, a class, or how often what stands before it may come. */
const TOKEN = /\\[\s\S]|\[(?:\\[\s\S]|[^\]])*\]|[*+?]\??|\{[^}]*\}|[\s\S]/gu
const SPECIAL = new Set('.^$|()')

/**
 * A text that every match contains, the longest that stands outside of groups and alternatives; empty where there is none. `pattern`: as live
 * models may have it (`engine/algebra/regexp-calls.ts`).
 */
export function requiredText(pattern: string): string {
  const tokens = pattern.match(TOKEN) ?? []
  const runs = ['']
  let depth = 0
  for (const [i, token] of tokens.entries()) {
    if (token === '|' && depth === 0) return ''
    if (token === '(') depth++
    const literal = depth === 0 ? literalOf(token) : ''
    if (token === ')') depth--
    const times = /^[*+?{]/.test(tokens[i + 1] ?? '') ? tokens[i + 1]! : ''
    if (times === '' || times.startsWith('+')) runs[runs.length - 1] += literal
    if (literal === '' || times !== '') runs.push('')
  }
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest))
}

function literalOf(token: string): string {
  if (token.startsWith('\\')) return /\w/.test(token[1]!) ? '' : token[1]!
  return [...token].length > 1 || SPECIAL.has(token) || /^[*+?{]/.test(token) ? '' : token
}
