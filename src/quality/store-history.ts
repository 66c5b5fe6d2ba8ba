// The history of check results in the control store.
import type { Clock } from '../core/clock.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { CheckManifest } from '../define/manifest.ts'
import type { Store } from '../store/open-store.ts'
import type { CheckHistory, CheckRecord } from './history.ts'

interface Row {
  id: string
  setName: string
  checkName: string
  relation: string
  severity: string
  status: string
  failedRows: number | null
  totalRows: number | null
  value: number | null
  measured: string | null
  rule: string
  runId: string | null
  snapshotId: string | null
  ranMs: number
}

const recordOf = (row: Row): CheckRecord => ({
  set: row.setName,
  check: { name: row.checkName, severity: row.severity as CheckManifest['severity'], rule: JSON.parse(row.rule) as CheckManifest['rule'] },
  status: row.status as CheckRecord['status'],
  failedRows: row.failedRows,
  totalRows: row.totalRows,
  measured: row.measured,
  value: row.value,
  relation: row.relation,
  ranMs: row.ranMs,
  runId: row.runId,
  snapshotId: row.snapshotId,
})

export function storeCheckHistory(store: Store, clock: Clock, random: Random): CheckHistory {
  return {
    save: (records) =>
      store.write(async (tx) => {
        for (const record of records) {
          const { check } = record
          const row: Row = {
            id: uuidV7(clock.nowMs(), random),
            setName: record.set,
            checkName: check.name,
            severity: check.severity,
            rule: JSON.stringify(check.rule),
            relation: record.relation,
            status: record.status,
            failedRows: record.failedRows,
            totalRows: record.totalRows,
            value: record.value,
            measured: record.measured,
            runId: record.runId,
            snapshotId: record.snapshotId,
            ranMs: record.ranMs,
          }
          await tx.insertInto('checkResults').values(row).execute()
        }
      }),
    async values(check, limit) {
      const rows = await store.read
        .selectFrom('checkResults')
        .select('value')
        .where('checkName', '=', check)
        .where('value', 'is not', null)
        .orderBy('ranMs', 'desc')
        .limit(limit)
        .execute()
      return rows.map((row) => row.value!).reverse()
    },
    async latest(relation) {
      let query = store.read
        .selectFrom('checkResults')
        .selectAll()
        .where((eb) =>
          eb(
            'id',
            '=',
            eb
              .selectFrom('checkResults as newer')
              .select((inner) => inner.fn.max('newer.id').as('id'))
              .whereRef('newer.checkName', '=', 'checkResults.checkName'),
          ),
        )
      if (relation !== undefined) query = query.where('relation', '=', relation)
      return (await query.execute()).map(recordOf)
    },
    async since(relation, sinceMs) {
      const rows = await store.read
        .selectFrom('checkResults')
        .selectAll()
        .where('relation', '=', relation)
        .where('ranMs', '>=', sinceMs)
        .orderBy('ranMs')
        .execute()
      return rows.map(recordOf)
    },
  }
}
