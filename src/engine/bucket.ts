// Iceberg's bucket transform as a SQL function: murmur3 is not among DuckDB's own, so it runs in JavaScript, on values as text.
import { DuckDBScalarFunction, INTEGER, VARCHAR } from '@duckdb/node-api'
import { valueFromText } from '../lake/value/text-value.ts'
import { applyTransform } from '../lake/value/transform.ts'
import type { Session } from './duckdb.ts'

const known = new WeakSet<Session>()

/** Adds `iceberg_bucket(transform, icebergType, valueAsText)` to a session. */
export function addBucketFunction(session: Session): void {
  if (known.has(session)) return
  known.add(session)
  session.connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: 'iceberg_bucket',
      parameterTypes: [VARCHAR, VARCHAR, VARCHAR],
      returnType: INTEGER,
      mainFunction: (_info, input, output) => {
        const [transforms, types, texts] = [0, 1, 2].map((index) => input.getColumnVector(index).toArray() as (string | null)[])
        for (let row = 0; row < input.rowCount; row++) output.setItem(row, bucketOf(transforms![row]!, types![row]!, texts![row]!))
        output.flush()
      },
    }),
  )
}

function bucketOf(transform: string, type: string, text: string | null): number | null {
  const value = text === null ? undefined : valueFromText(type, text)
  return value === undefined ? null : Number(applyTransform(transform, type, value))
}
