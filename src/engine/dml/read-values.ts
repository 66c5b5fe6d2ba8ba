// The VALUES of an INSERT: which of them are DEFAULT, since a SELECT cannot say so. Rows that leave the same columns to their defaults
// become one source.
import type { Source } from './statement.ts'
import { isWord, type Token, textOf } from './tokens.ts'

/** Undefined for what is not VALUES alone; then it is a query. */
export function readValues(tokens: readonly Token[]): readonly Source[] | undefined {
  if (!isWord(tokens[0], 'VALUES')) return undefined
  const rows = readRows(tokens.slice(1))
  if (!rows) return undefined
  const groups = Map.groupBy(rows, (row) => defaultsOf(row).join())
  return [...groups.values()].map((group) => ({
    kind: 'values',
    rows: group.map((row) => row.filter((value) => !isDefault(value)).map(textOf)),
    defaults: defaultsOf(group[0]!),
  }))
}

const isDefault = (value: readonly Token[]): boolean =>
  value.length === 1 && value[0]!.kind === 'word' && value[0]!.text.toUpperCase() === 'DEFAULT'

const defaultsOf = (row: readonly (readonly Token[])[]): number[] => row.flatMap((value, index) => (isDefault(value) ? [index] : []))

/** Rows of values; undefined when it is not a list of rows and nothing else. */
function readRows(tokens: readonly Token[]): Token[][][] | undefined {
  const rows: Token[][][] = []
  for (let at = 0; ; at++) {
    if (tokens[at]?.text !== '(' || tokens[at]?.kind !== 'mark') return undefined
    const row: Token[][] = [[]]
    for (at++; !(tokens[at]!.text === ')' && tokens[at]!.depth === 0); at++) {
      const token = tokens[at]!
      if (token.kind === 'mark' && token.text === ',' && token.depth === 1) row.push([])
      else row.at(-1)!.push(token)
    }
    rows.push(row)
    const after = tokens[++at]
    if (after === undefined) return rows
    if (after.kind !== 'mark' || after.text !== ',') return undefined
  }
}
