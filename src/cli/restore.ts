// `millrace restore`: a table goes back to an earlier snapshot, by a new one with its rows. Also where no server can start.
import { LOCAL_ADMINISTRATOR, withStorage } from '../runtime/storage.ts'
import { type Restored, restoredOf } from '../serve/admin/storage.ts'
import { shortName } from '../store/identifier.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput } from './output.ts'
import { connect } from './remote.ts'
import { mustExist } from './verify.ts'

export async function restore([relation]: string[], options: CommandOptions & { readonly to: string }): Promise<number> {
  const output = openOutput(options)
  const data = dataOf(options)
  const remote = await connect(data)
  if (!remote) mustExist(data)
  const restored = remote
    ? ((await remote.post(`/admin/relations/${relation}/restore`, { to: options.to })) as Restored)
    : await withStorage(data, async ({ actions }) =>
        restoredOf(await actions.restore(LOCAL_ADMINISTRATOR, shortName(relation!), options.to)),
      )
  output.data(restored)
  output.line(`${relation} has the rows of snapshot ${restored.from} again, as snapshot ${restored.snapshot}`)
  output.progress('rows that came later are not read from the log again: offsets stay where they are')
  return 0
}
