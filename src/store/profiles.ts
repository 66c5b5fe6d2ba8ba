// Profiles of columns at a snapshot: counts, ranges, histograms as `quality/` measured them. The newest of a column is
// what people look at, the older ones are what anomalies are measured against.
import type { Store } from './open-store.ts'

export interface Profile {
  readonly relation: string
  readonly snapshotId: string
  readonly column: string
  readonly profile: unknown
  readonly ranMs: number
}

type Database = Pick<Store, 'read' | 'write'>

/** Snapshots of a relation whose profiles are kept. */
const SNAPSHOTS_KEPT = 60

/** Stores the profiles of one snapshot of one relation, replacing those it has. */
export const putProfiles = (store: Database, profiles: readonly Profile[]): Promise<void> =>
  store.write(async (tx) => {
    for (const { profile, ...rest } of profiles) {
      const row = { profile: JSON.stringify(profile), ranMs: rest.ranMs }
      await tx
        .insertInto('profiles')
        .values({ ...rest, ...row })
        .onConflict((conflict) => conflict.columns(['relation', 'snapshotId', 'column']).doUpdateSet(row))
        .execute()
    }
    for (const relation of new Set(profiles.map((profile) => profile.relation))) {
      await tx
        .deleteFrom('profiles')
        .where('relation', '=', relation)
        .where('snapshotId', 'not in', (eb) =>
          eb
            .selectFrom('profiles')
            .select('snapshotId')
            .where('relation', '=', relation)
            .groupBy('snapshotId')
            .orderBy((order) => order.fn.max('ranMs'), 'desc')
            .limit(SNAPSHOTS_KEPT),
        )
        .execute()
    }
  })

/** The newest profile of each column of a relation. */
export async function latestProfiles(store: Database, relation: string): Promise<Profile[]> {
  const rows = await store.read
    .selectFrom('profiles')
    .selectAll()
    .where('relation', '=', relation)
    .orderBy('column')
    .orderBy('ranMs', 'desc')
    .execute()
  return rows.filter((row, i) => row.column !== rows[i - 1]?.column).map(toProfile)
}

/** Profiles of one column, newest first. */
export async function profileHistory(store: Database, relation: string, column: string, limit = 30): Promise<Profile[]> {
  const rows = await store.read
    .selectFrom('profiles')
    .selectAll()
    .where('relation', '=', relation)
    .where('column', '=', column)
    .orderBy('ranMs', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toProfile)
}

const toProfile = (row: Omit<Profile, 'profile'> & { readonly profile: string }): Profile => ({
  ...row,
  profile: JSON.parse(row.profile) as unknown,
})
