"""Whether a release works, once all of it is deployed: docs/post-deploy.md.

checklist   the checks in their order, and what an environment makes of each
running     every job runs its newest version, and that alone
endpoints   what clients ask answers
traffic     every instance gets its share
errors      few requests fail
alerts      nothing is wrong by the rules, and an alert would arrive
trail       the audit log is shipped
watch       the first 24 hours
"""
