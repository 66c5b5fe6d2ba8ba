// The queries of `flink-time.long.test.ts` a thousand times slower, ten minutes of which the watermark is four seconds behind, so that it
// passes while rows still come: what has closed in Flink has lost none.
import { testTimeQueries } from './time-queries.ts'

testTimeQueries('seconds')
