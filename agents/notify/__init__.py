"""Telling people: messages that wait on disk until they are sent.

message    what is told
spool      one file for each message and channel, until it is sent or given up
webhook    JSON over HTTPS, as Slack takes it; `mail` SMTP
task       sends what is due, with back-off
alarms     tells of each alarm once when it is raised and once when it is over
"""
