"""The labelling page: a person answers, the detector learns, nothing is lost.

`session` drives the loop of `whitecrow.active`, `views` says what is on the page,
`exchange` writes and reads labels, `routes` speaks HTTP, `guard` decides who may, and
`serving` starts it all. The page itself is `templates` and `static`.
"""
