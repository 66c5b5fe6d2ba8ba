// The project that the compatibility kit's server runs: one table, so that there is something beside what the kit makes.
import { project, t, table } from 'millrace'

export const regions = table('regions', { id: t.int(), name: t.string() }, { key: 'id' })

export default project('rck', [{ regions }])
