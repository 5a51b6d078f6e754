"""What the commands and the labelling page do, without any input or output of theirs.

`inputs` reads data and labels, `parameters` turns text into constructor arguments,
`training` chooses, builds and fits a detector, `scoring` writes scores in batches,
`reasons` says in words why a row is odd, `files` writes files whole or not at all.
"""
