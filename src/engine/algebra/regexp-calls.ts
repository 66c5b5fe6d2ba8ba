// Regular expressions of live models: constant patterns that RE2, which DuckDB has, and JavaScript read alike. Others are left to DuckDB.
import { castTo, isConstantText, isText } from './coerce.ts'
import { BOOLEAN, call, constant, type Expression, INT, STRING } from './expression.ts'
import { count, type Resolve } from './resolve.ts'

/**
 * Literals, classes, groups, alternatives, anchors, and repetition. No backslash but before punctuation and in \d, \w, \D, \W; no
 * look-around, flags within, or names.
 */
const PLAIN_PATTERN =
  /^(?:[^\\()[\]{}*+?|]|\\[dwDW.*+?()[\]{}|^$/-]|\((?:\?:|(?!\?))|\)|\[\^?(?:[^\\[\]]|\\[dw.*+?()[\]{}|^$/-])+\]|\{\d{1,3}(?:,\d{0,3})?\}|[*+?]\??|\|)*$/

/** What DuckDB writes for `\0` to `\9`. */
const GROUP_MAX = 9

function regexOf(pattern: string): RegExp | null {
  if (!PLAIN_PATTERN.test(pattern)) return null
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return null
  }
}

/** The groups of a pattern: its whole match is not counted. */
const groupsOf = ({ source }: RegExp): number => new RegExp(`${source}|`, 'u').exec('')!.length - 1

/** Text and a pattern, as a regular expression, or what is wrong with them. */
function readPattern(of: readonly Expression[]): RegExp | string {
  if (!isText(of[0]!) || !isConstantText(of[1])) return 'with a pattern that is not a constant'
  return regexOf(of[1].value) ?? `with the pattern ${of[1].value}, which RE2 and JavaScript may read differently`
}

/**
 * For what a pattern finds: of a group that is repeated, RE2 and JavaScript may keep another round, or end with another.
 */
function readFinding(of: readonly Expression[]): RegExp | string {
  const regex = readPattern(of)
  if (typeof regex === 'string') return regex
  const isRepeated = /\)[*+{]/.test(regex.source.replace(/\\.|\[(?:\\.|[^\]])*\]/g, ''))
  return isRepeated ? `with the pattern ${regex.source}, which repeats a group` : regex
}

const matches =
  (name: string): Resolve =>
  (of) => {
    const regex = of.length === 2 ? readPattern(of) : count(of, 2)!
    return typeof regex === 'string' ? regex : call(name, [castTo(of[0]!, STRING), castTo(of[1]!, STRING)], BOOLEAN)
  }

/** The first match, or a group of it; empty where there is none. */
const extract: Resolve = (of) => {
  const regex = count(of, 2, 3) ?? readFinding(of)
  if (typeof regex === 'string') return regex
  const group = of[2] ?? constant(0, INT)
  if (group.op !== 'constant' || group.type.kind !== 'int' || group.value === null) return 'with a group that is not a constant'
  if (Number(group.value) < 0 || Number(group.value) > Math.min(GROUP_MAX, groupsOf(regex))) return `with the group ${group.value}`
  return call('regexp_extract', [castTo(of[0]!, STRING), castTo(of[1]!, STRING), group], STRING)
}

/**
 * The first match, or all with 'g', by a text with `\0` to `\9` for groups and `\\` for a backslash. What matches nothing is found at
 * other places by RE2.
 */
const replace: Resolve = (of) => {
  const regex = count(of, 3, 4) ?? readFinding(of)
  if (typeof regex === 'string') return regex
  const [, , by, options] = of
  if (!isConstantText(by)) return 'with a replacement that is not a constant'
  const groups = [...by.value.matchAll(/\\(\\|\d)?/g)].map(([, group]) => (group === '\\' ? 0 : Number(group)))
  if (!groups.every((group) => group <= groupsOf(regex))) return `with the replacement ${by.value}`
  if (options && !(isConstantText(options) && options.value === 'g')) return `with options other than 'g'`
  if (options && regex.exec('')?.[0] === '') return `of all matches of ${regex.source}, which may be empty,`
  const texts = [of[0]!, of[1]!, by, ...(options ? [options] : [])]
  return call(
    'regexp_replace',
    texts.map((text) => castTo(text, STRING)),
    STRING,
  )
}

export const REGEXP_CALLS: Readonly<Record<string, Resolve>> = {
  regexp_matches: matches('regexp_matches'),
  regexp_full_match: matches('regexp_full_match'),
  regexp_extract: extract,
  regexp_replace: replace,
}
