// Numbers in place of the values that an encrypted table is partitioned by: DuckDB names directories by them, and names are read
// by whoever sees the disk. A number means something to the statement alone that gave it out.
import { type DuckDBConnection, DuckDBScalarFunction, INTEGER, VARCHAR } from '@duckdb/node-api'
import { quoteText } from './sql-text.ts'

/** One statement's numbers. */
export interface PartNumbers extends Disposable {
  /** SQL of the number, from 0, of what the columns hold together. */
  sql(columns: readonly string[]): string
  /** What the columns held, as DuckDB prints it; null is null. */
  texts(number: number): readonly (string | null)[]
}

/** Both ways. */
interface Given {
  readonly numbers: Map<string, number>
  readonly parts: string[]
}

/** Adds the function of the engine that gives numbers out; answers what opens it for a statement. */
export function addPartNumbers(connection: DuckDBConnection): () => PartNumbers {
  const statements = new Map<string, Given>()
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: 'part_number',
      parameterTypes: [VARCHAR, VARCHAR],
      returnType: INTEGER,
      mainFunction: (_info, input, output) => {
        const [ids, parts] = [0, 1].map((column) => input.getColumnVector(column).toArray() as string[]) as [string[], string[]]
        for (let row = 0; row < input.rowCount; row++) output.setItem(row, numberOf(statements.get(ids[row]!)!, parts[row]!))
        output.flush()
      },
    }),
  )
  let opened = 0
  return () => {
    const id = String(opened++)
    const given: Given = { numbers: new Map(), parts: [] }
    statements.set(id, given)
    return {
      sql: (columns) =>
        `part_number(${quoteText(id)}, CAST(to_json([${columns.map((column) => `CAST(${column} AS VARCHAR)`).join(', ')}]) AS VARCHAR))`,
      texts: (number) => JSON.parse(given.parts[number]!) as (string | null)[],
      [Symbol.dispose]: () => statements.delete(id),
    }
  }
}

function numberOf({ numbers, parts }: Given, part: string): number {
  const known = numbers.get(part)
  if (known !== undefined) return known
  numbers.set(part, parts.length)
  return parts.push(part) - 1
}
