// Many small manifests become few, clustered by partition: planning a scan opens each. See `lake/rewrite-manifests.ts`.
import { bytesOf, type Chore, type ChoreDone, type ChoreParts, type ChoreTask, mayRewrite } from './chore.ts'

export const manifests: Chore = { name: 'manifests', run }

async function run({ lake }: ChoreParts, { table, isAsked }: ChoreTask): Promise<ChoreDone | null> {
  if (!mayRewrite(table)) return null
  const done = await lake.rewriteManifests(table.name, isAsked ? { minManifests: 2 } : {})
  if (!done) return null
  const { before, after } = done
  return {
    note: `${before.length} manifests became ${after.length}`,
    saved: { filesBefore: before.length, filesAfter: after.length, bytesBefore: bytesOf(before), bytesAfter: bytesOf(after) },
  }
}
