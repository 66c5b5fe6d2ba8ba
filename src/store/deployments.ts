// Deployments: every manifest that was applied, with the fingerprint of its code. The newest is what runs.
import type { Store } from './open-store.ts'

export interface Deployment {
  readonly id: string
  /** The project's manifest; typed by whoever reads it. */
  readonly manifest: unknown
  readonly codeHash: string
  readonly appliedMs: number
  readonly by: string
}

type Database = Pick<Store, 'read' | 'write'>

export const insertDeployment = (store: Database, { manifest, by, ...rest }: Deployment): Promise<void> =>
  store.write(async (tx) => {
    await tx
      .insertInto('deployments')
      .values({ ...rest, manifest: JSON.stringify(manifest), appliedBy: by })
      .execute()
  })

export async function latestDeployment(store: Database): Promise<Deployment | null> {
  return (await listDeployments(store, 1))[0] ?? null
}

/** Newest first. */
export async function listDeployments(store: Database, limit = 20): Promise<Deployment[]> {
  const rows = await store.read
    .selectFrom('deployments')
    .selectAll()
    .orderBy('appliedMs', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ appliedBy, manifest, ...rest }) => ({ ...rest, manifest: JSON.parse(manifest) as unknown, by: appliedBy }))
}
