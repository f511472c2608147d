"""DynamicResources: pods get the devices that their claims ask for.

One pod's way through the files: `references` (which claims it means; they must exist before it is queued), `plan` (what
is allocated already, what is still to be), `extended` (extended resources that devices provide), `search` (devices on
one node, by `dray.allocation`), `release` (nothing fits: give up an idle allocation), `commit` (write the choice),
`conditions` (wait until the devices are ready to be bound). `score` prefers the alternatives that are named first.

What is true of every file: texts are upstream's, since users and tools read them; a refusal says which rule refused.
Pods of a PodGroup that are placed together share claims (`sharing`).
"""
