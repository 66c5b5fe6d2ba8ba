// Why a question failed, when the reason is a damaged data file: the engine often does not say which. The files that it read
// are looked at one after the other until one is wrong; then the error names it and the snapshots that are still good.
import { MillraceError } from '../core/errors.ts'
import { checkParquet } from '../engine/check-parquet.ts'
import type { Engine } from '../engine/duckdb.ts'
import type { Lake } from '../lake/open-lake.ts'

/** Classes of errors that damage comes as, beside those that a question itself can have. */
const CLASSES = /"exception_type":"(IO|Invalid|Serialization|Internal|FATAL)"/

/** A value of the user's may have this class too; what the engine says when it is the bytes of a file. */
const MAY_BE_EITHER = /"exception_type":"Invalid Input"/
const MAY_BE_DAMAGE =
  /magic bytes|too small to be a Parquet|No files found that match|TProtocol|Variable-length int|ZSTD|[Dd]ecompress|[Cc]orrupt|Parquet|Invalid data|Out of buffer|Cannot open file/

/**
 * MR_LAKE_CORRUPT naming the file, when one of those that were read is damaged; otherwise the error as it is. `snapshots`: by
 * relation, what was read.
 */
export async function explainRead(
  { lake, engine }: { readonly lake: Lake; readonly engine: Engine },
  snapshots: Readonly<Record<string, string | null>>,
  error: MillraceError,
): Promise<MillraceError> {
  const said = String(error.cause)
  const mayBe = CLASSES.test(said) || (MAY_BE_EITHER.test(said) && MAY_BE_DAMAGE.test(error.message))
  if (!mayBe && error.code !== 'MR_SEAL_DAMAGED') return error
  const session = await engine.session()
  using lease = lake.lease()
  try {
    for (const [name, id] of Object.entries(snapshots)) {
      if (id === null) continue
      const table = await lake.table(name)
      const snapshot = table.snapshots.find((candidate) => String(candidate.id) === id)
      for (const file of snapshot ? await lake.files(table, snapshot) : []) {
        const [local] = await lease.local([file])
        const what = await checkParquet(session, table, local!)
        if (what === null) continue
        const found = new MillraceError('MR_LAKE_CORRUPT', `${file.path} ${what}`, { cause: error })
        return (await lake.explain(name, found, [file.path])) as MillraceError
      }
    }
    return error
  } catch {
    return error
  } finally {
    session.close()
  }
}
